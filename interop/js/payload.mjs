/**
 * Payloads as agents write them in commands and in events.
 *
 * A command names a payload by one of `json`, `text`, `binary` or `file`. An event tells the `type`
 * of what came and then the `text`, the `json`, or the `size` and `sha256` of a binary.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

const SPEC_KEYS = ['json', 'text', 'binary', 'file'];
const WORD_BYTES = 4;

/** Reads the one payload that `spec` names; `host.readFile` serves `file`. */
export const readPayload = async (spec, host) => {
  const given = SPEC_KEYS.filter((key) => Object.hasOwn(spec, key));
  if (given.length !== 1) {
    throw new Error(`a payload is exactly one of ${SPEC_KEYS.join(', ')}`);
  }
  switch (given[0]) {
    case 'json':
      return spec.json;
    case 'text':
      return requireText(spec.text);
    case 'binary':
      return readBinary(spec.binary);
    case 'file':
      return host.readFile(requireText(spec.file));
  }
};

/** The fields of an event that describe `value`; without `hash` a binary is told by size alone. */
export const describePayload = (value, { hash = true } = {}) => {
  if (typeof value === 'string') {
    return { type: 'text', text: value };
  }
  if (!isBinary(value)) {
    return { type: 'json', json: value };
  }
  const described = { type: 'binary', size: value.byteLength };
  return hash ? { ...described, sha256: bytesToHex(sha256(asBytes(value))) } : described;
};

/** The length of `value` as it travels: UTF-8 for text and JSON. */
export const payloadBytes = (value) => {
  if (isBinary(value)) {
    return value.byteLength;
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return new TextEncoder().encode(text).byteLength;
};

/** Whether Trystero sends `value` as bytes. */
export const isBinary = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

/**
 * `size` bytes that are the same in every implementation: the xorshift32 stream of `seed`, as
 * little-endian words.
 */
export const sizedBinary = (size, seed = 1) => {
  const words = new DataView(new ArrayBuffer(Math.ceil(size / WORD_BYTES) * WORD_BYTES));
  let x = seed >>> 0;
  for (let at = 0; at < size; at += WORD_BYTES) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words.setUint32(at, x >>> 0, true);
  }
  return new Uint8Array(words.buffer, 0, size);
};

const readBinary = (binary) => {
  if (typeof binary === 'number') {
    return sizedBinary(requireSize(binary));
  }
  if (typeof binary?.base64 === 'string') {
    return Uint8Array.from(atob(binary.base64), (character) => character.charCodeAt(0));
  }
  return sizedBinary(requireSize(binary?.size), binary.seed);
};

const requireText = (text) => {
  if (typeof text !== 'string') {
    throw new Error('text and file payloads are strings');
  }
  return text;
};

const requireSize = (size) => {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new Error('a binary payload is a size, {size, seed} or {base64}');
  }
  return size;
};

const asBytes = (value) =>
  value instanceof ArrayBuffer
    ? new Uint8Array(value)
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
