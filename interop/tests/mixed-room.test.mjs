/** One room of five peers, no two of which are driven alike. */
import { after, before, test } from 'node:test';
import { Cast, describeWith, startRustRelay } from './harness.mjs';
import { MEET_MS, join, joined, newRoom, transfer } from './rooms.mjs';

const NAMES = {
  rust: 'tokio',
  'rust-smol': 'smol',
  werift: 'Node.js',
  chromium: 'Chromium',
};
/** A program of ours with a loop of its own and no async, which is no agent. */
const LOOP = 'rust-loop';
/** The action of that program. */
const CHAT = 'chat';

describeWith('five peers, each driven in its own way', [...Object.keys(NAMES), LOOP], () => {
  let cast;
  let agents;
  let loop;
  const room = newRoom();

  before(async () => {
    cast = new Cast(await startRustRelay());
    const start = ([kind, name]) => cast.start(kind, { name });
    agents = await Promise.all(Object.entries(NAMES).map(start));
    for (const agent of agents) {
      await join(cast, agent, room);
      await agent.do('register', { room: room.room, action: CHAT });
    }
    const place = ['--relay', cast.relay.url, '--app', room.appId, '--room', room.roomId];
    loop = await cast.start(LOOP, { name: 'mio', args: [...place, '--no-stun'] });
  });
  after(() => cast?.end());

  test('all meet', async () => {
    await joined(agents, room);
    await Promise.all(agents.map((agent) => meetsLoop(agent)));
  });

  test('each hears each', async () => {
    for (const sender of agents) {
      for (const receiver of agents.filter((other) => other !== sender)) {
        const text = `${sender.name} to ${receiver.name}`;
        const to = { text, target: receiver.selfId };
        const { message } = await transfer(room, [sender, receiver], `talk-${sender.name}`, to);
        if (message.text !== text) {
          throw cast.failure(`${receiver.name} was sent "${text}" and heard "${message.text}"`);
        }
      }
      await talksWithLoop(sender);
    }
  });

  const meetsLoop = (agent) =>
    Promise.all([
      agent.waitFor('peerJoin', { room: room.room, peer: loop.selfId }, { deadlineMs: MEET_MS }),
      loop.waitFor('joined', { peer: agent.selfId }, { deadlineMs: MEET_MS }),
    ]);

  const talksWithLoop = async (agent) => {
    // It greets whoever comes.
    const greeting = { room: room.room, action: CHAT, peer: loop.selfId, text: 'hello' };
    await agent.waitFor('message', greeting);
    const said = `${agent.name} to the loop`;
    const to = { room: room.room, action: CHAT, text: said, target: loop.selfId };
    await agent.do('send', to);
    await loop.waitFor('message', { peer: agent.selfId, said });
  };
});
