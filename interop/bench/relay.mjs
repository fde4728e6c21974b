/**
 * A WebSocket relay on npm's `ws`, to be measured beside ours.
 *
 * It stands in for Trystero's own, which npm did not have then, and does for a message what that
 * one does: it reads JSON, looks that it makes sense, writes JSON once, and sends the text to every
 * subscriber whose socket is open. It says where it listens, and ends with its input.
 */
import { WebSocket, WebSocketServer } from 'ws';

const PAYLOAD_BYTES_MAX = 1024 * 1024;
const TOPIC_LENGTH_MAX = 256;
const SOCKET_TOPICS_MAX = 128;

/** The sockets that subscribed to a topic, by topic. */
const subscribers = new Map();

const subscribe = (socket, topics, topic) => {
  if (topics.has(topic)) {
    return;
  }
  if (topics.size >= SOCKET_TOPICS_MAX) {
    socket.close(1008, 'too many topics');
    return;
  }
  topics.add(topic);
  const sockets = subscribers.get(topic);
  if (sockets) {
    sockets.add(socket);
  } else {
    subscribers.set(topic, new Set([socket]));
  }
};

const unsubscribe = (socket, topics, topic) => {
  if (!topics.delete(topic)) {
    return;
  }
  const sockets = subscribers.get(topic);
  sockets.delete(socket);
  if (sockets.size === 0) {
    subscribers.delete(topic);
  }
};

const publish = (topic, payload) => {
  const text = JSON.stringify({ topic, payload });
  for (const socket of subscribers.get(topic) ?? []) {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(text);
    }
  }
};

const read = (data) => {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return null;
  }
};

const handle = (socket, topics, data) => {
  const message = read(data);
  if (typeof message?.topic !== 'string') {
    return;
  }
  const { type, topic, payload } = message;
  if (topic.length > TOPIC_LENGTH_MAX) {
    socket.close(1008, 'the topic is too long');
  } else if (type === 'subscribe') {
    subscribe(socket, topics, topic);
  } else if (type === 'unsubscribe') {
    unsubscribe(socket, topics, topic);
  } else if (type === 'publish' && payload !== undefined) {
    publish(topic, payload);
  }
};

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: PAYLOAD_BYTES_MAX,
  backlog: 4096,
});

server.on('connection', (socket) => {
  const topics = new Set();
  socket.on('message', (data) => handle(socket, topics, data));
  socket.on('close', () => topics.forEach((topic) => unsubscribe(socket, topics, topic)));
  socket.on('error', (error) => console.error(error));
});

server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
process.stdin.on('close', () => process.exit()).resume();
