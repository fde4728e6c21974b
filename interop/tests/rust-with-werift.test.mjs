import { defineRustWith } from './rust-with.mjs';
import { defineNoRestarts } from './scenarios/restarts.mjs';

defineRustWith('werift', defineNoRestarts);
