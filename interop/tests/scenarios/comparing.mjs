/** That a payload came as it was sent. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { sizedBinary } from '../../js/payload.mjs';

/** Checks what both ends tell of a payload against the command that named it. */
export const assertCame = ({ text, json, binary }, sent, message) => {
  if (text !== undefined) {
    assert.deepEqual([message.type, message.text], ['text', text]);
  } else if (binary === undefined) {
    assert.equal(message.type, 'json');
    assert.deepEqual(message.json, json);
  } else {
    const { size = binary, seed } = binary;
    const sha256 = createHash('sha256').update(sizedBinary(size, seed)).digest('hex');
    for (const end of [sent, message]) {
      assert.deepEqual([end.type, end.size, end.sha256], ['binary', size, sha256]);
    }
  }
};
