import { defineRustWith } from './rust-with.mjs';

defineRustWith('node-datachannel');
