import { defineRustWith } from './rust-with.mjs';

defineRustWith('werift');
