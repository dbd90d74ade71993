// SPDX-License-Identifier: GPL-2.0-only
//
// Asks the emulator at SERIAL for the name of its AVD, by native-run, and prints it; fails
// if it is not NAME.
//
//	node console-client.js SERIAL NAME
'use strict';
const { getAVDFromEmulator } = require('native-run/dist/android/utils/emulator');

const [serial, name] = process.argv.slice(2);

getAVDFromEmulator({ serial }, [{ id: 'another' }, { id: name }]).then(
	(avd) => console.log(`AVD ${avd.id}`),
	(error) => {
		console.log(error.message);
		process.exit(1);
	});
