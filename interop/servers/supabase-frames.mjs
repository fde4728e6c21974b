/**
 * The frames of Supabase Realtime, in both versions of its serializer.
 *
 * Version 1.0.0 is objects as JSON. Version 2.0.0 is lists as JSON, but for broadcasts, which are
 * binary: kind 3 from a client, kind 4 to it, the lengths of all fields but the last in a byte
 * each.
 */

const KIND_PUSH = 3;
const KIND_DELIVERY = 4;
const ENCODING_JSON = 1;

const text = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/**
 * Reads what a client sent: `{joinRef, ref, topic, event, payload}`, and for a broadcast
 * `broadcast: {event, payload, isBinary}`. Throws at whatever the service would crash at.
 */
export const decodeFrame = (version, data, isBinary) => {
  if (isBinary) {
    if (version === '1.0.0') {
      throw new Error('version 1.0.0 has no binary frames');
    }
    return decodePush(new Uint8Array(data));
  }
  const frame = JSON.parse(text(data));
  const message = version === '1.0.0' ? fromObject(frame) : fromList(frame);
  const { topic, event, payload } = message;
  if (typeof topic !== 'string' || typeof event !== 'string' || !isObject(payload)) {
    throw new Error('the frame lacks a topic, an event or a payload');
  }
  if (event === 'broadcast' && payload.type === 'broadcast' && typeof payload.event === 'string') {
    message.broadcast = { event: payload.event, payload: payload.payload, isBinary: false };
  }
  return message;
};

/** What a client of this version is sent for a broadcast: text if it was sent so. */
export const encodeBroadcast = (version, topic, { event, payload, isBinary }) => {
  if (version === '2.0.0' && isBinary) {
    const fields = [topic, event, ''].map((field) => Buffer.from(field));
    const lengths = fields.map(({ length }) => length);
    const head = Buffer.from([KIND_DELIVERY, ...lengths, ENCODING_JSON]);
    return Buffer.concat([head, ...fields, Buffer.from(JSON.stringify(payload))]);
  }
  const message = { type: 'broadcast', event, payload };
  return encodeText(version, {
    joinRef: null,
    ref: null,
    topic,
    event: 'broadcast',
    payload: message,
  });
};

/** What a client of this version is sent for all but broadcasts. */
export const encodeText = (version, { joinRef, ref, topic, event, payload }) =>
  JSON.stringify(
    version === '1.0.0' ? { topic, event, payload, ref } : [joinRef, ref, topic, event, payload],
  );

const fromObject = ({ topic, event, payload, ref, join_ref: joinRef }) => ({
  joinRef,
  ref,
  topic,
  event,
  payload,
});

const fromList = (frame) => {
  if (!Array.isArray(frame) || frame.length !== 5) {
    throw new Error('a frame of version 2.0.0 is a list of five');
  }
  const [joinRef, ref, topic, event, payload] = frame;
  return { joinRef, ref, topic, event, payload };
};

const decodePush = (bytes) => {
  const [kind, ...lengths] = bytes.subarray(0, 6);
  const encoding = bytes[6];
  if (kind !== KIND_PUSH || encoding !== ENCODING_JSON) {
    throw new Error('the frame is no broadcast in JSON');
  }
  let at = 7;
  const fields = lengths.map((length) => text(bytes.subarray(at, (at += length))));
  if (at > bytes.length) {
    throw new Error('the frame is too short');
  }
  const [joinRef, ref, topic, event] = fields;
  const payload = JSON.parse(text(bytes.subarray(at)));
  const broadcast = { event, payload, isBinary: true };
  return { joinRef, ref, topic, event: 'broadcast', payload: {}, broadcast };
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
