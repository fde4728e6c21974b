/** What the theory of the NAT lab says, where that is known from elsewhere. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ADDRESS, ADDRESS_AND_PORT, INDEPENDENT, KINDS, PAIRS } from '../lab/kinds.mjs';
import { Host, Internet, Nat, compose } from '../lab/model.mjs';
import { REASONS, SERVERS, predict } from '../lab/theory.mjs';

const pairNamed = (name) => PAIRS.find((pair) => pair.name === name);
const of = (name, servers) => predict(pairNamed(name), servers);
const outcome = ({ connects, isDirect }) => (connects ? (isDirect ? 'direct' : 'relayed') : 'none');
const outcomes = (name) => Object.keys(SERVERS).map((servers) => outcome(of(name, servers)));
const isAbout = (kind) => (pair) => pair.kinds?.includes(kind);
const kindsBut = (...left) => Object.keys(KINDS).filter((kind) => !left.includes(kind));

/** Two targets at one address and one at another, and a host behind such a NAT. */
const behind = (behaviour) => {
  const internet = new Internet();
  const [first, second] = ['203.0.113.4', '203.0.113.5'].map((at) => new Host(internet, at));
  const targets = [first.open(), first.open(), second.open()];
  const nat = new Nat(behaviour, internet, '203.0.113.16');
  return { socket: new Host(nat, '192.168.1.2').open(), targets };
};

describe('the model of a NAT', () => {
  test('with a mapping that is independent looks the same to all', () => {
    const { socket, targets } = behind({ mapping: INDEPENDENT, filtering: INDEPENDENT });
    const ports = targets.map(({ end }) => socket.send(end).source.port);
    assert.equal(new Set(ports).size, 1);
  });

  test('with a mapping that depends on address and port looks different to each', () => {
    const { socket, targets } = behind({ mapping: ADDRESS_AND_PORT, filtering: ADDRESS_AND_PORT });
    const ports = targets.map(({ end }) => socket.send(end).source.port);
    assert.equal(new Set(ports).size, 3);
  });

  for (const [filtering, letIn] of [
    [INDEPENDENT, [true, true, true]],
    [ADDRESS, [true, true, false]],
    [ADDRESS_AND_PORT, [true, false, false]],
  ]) {
    test(`with ${filtering} filtering lets in who it says`, () => {
      const { socket, targets } = behind({ mapping: INDEPENDENT, filtering });
      const { source } = socket.send(targets[0].end);
      assert.deepEqual(
        targets.map((target) => target.send(source)?.receiver === socket),
        letIn,
      );
    });
  }

  test('lets nobody in to a port that nothing was sent from', () => {
    const { targets } = behind({ mapping: INDEPENDENT, filtering: INDEPENDENT });
    assert.equal(targets[0].send({ address: '203.0.113.16', port: 1 }), undefined);
  });

  test('that blocks UDP lets nothing out', () => {
    const { socket, targets } = behind({ ...KINDS['udp-blocked'].nats[0] });
    assert.equal(socket.send(targets[0].end), undefined);
  });

  test('is with others in a row as strict as the strictest', () => {
    const loose = { mapping: INDEPENDENT, filtering: INDEPENDENT };
    const strict = { mapping: ADDRESS_AND_PORT, filtering: ADDRESS };
    const both = { udp: true, mapping: ADDRESS_AND_PORT, filtering: ADDRESS };
    assert.deepEqual(compose([loose, strict]), both);
    assert.deepEqual(compose([strict, loose]), both);
    assert.deepEqual(compose([]), { udp: true, ...loose });
  });
});

describe('the theory', () => {
  // RFC 5128, section 3.3: a hole can be punched unless one side maps by endpoint and the other
  // filters by port.
  test('punches holes where RFC 5128 does', () => {
    const natted = Object.entries(KINDS).filter(
      ([, { family, nats }]) => family === 4 && nats.every(({ udp }) => udp !== false),
    );
    for (const [left, { nats: leftNats }] of natted) {
      for (const [right, { nats: rightNats }] of natted) {
        const [a, b] = [compose(leftNats), compose(rightNats)];
        const fails = ({ mapping }, { filtering }) =>
          mapping === ADDRESS_AND_PORT && filtering === ADDRESS_AND_PORT;
        const expected = fails(a, b) || fails(b, a) ? 'none' : 'direct';
        const found = outcome(predict({ kinds: [left, right] }, 'STUN'));
        assert.equal(found, expected, `${left} and ${right}`);
      }
    }
  });

  test('does not depend on the order of the two', () => {
    for (const { kinds } of PAIRS.filter((pair) => pair.kinds)) {
      for (const servers of Object.keys(SERVERS)) {
        const there = predict({ kinds }, servers);
        const back = predict({ kinds: [...kinds].reverse() }, servers);
        assert.deepEqual(there, { ...back, sides: [...back.sides].reverse() });
      }
    }
  });

  test('connects everyone by TURN over TCP and TLS', () => {
    for (const pair of PAIRS) {
      for (const servers of ['TURN/TCP', 'TURN/TLS']) {
        assert.ok(predict(pair, servers).connects, `${pair.name} by ${servers}`);
      }
    }
  });

  test('connects everyone but those without UDP by TURN over UDP', () => {
    for (const pair of PAIRS) {
      const { connects } = predict(pair, 'TURN/UDP');
      assert.equal(connects, !isAbout('udp-blocked')(pair), pair.name);
    }
  });

  test('never takes a worse path for more servers', () => {
    const rank = (pair, servers) =>
      ['none', 'relayed', 'direct'].indexOf(outcome(predict(pair, servers)));
    for (const pair of PAIRS) {
      assert.ok(rank(pair, 'STUN') >= rank(pair, 'no STUN'), pair.name);
      assert.ok(rank(pair, 'TURN/UDP') >= rank(pair, 'STUN'), pair.name);
      assert.ok(rank(pair, 'TURN/TCP') >= rank(pair, 'no STUN'), pair.name);
    }
  });

  test('has a host with a public address reached by all that send UDP in its family', () => {
    for (const kind of kindsBut('udp-blocked', 'ipv6-only')) {
      assert.equal(outcome(predict({ kinds: ['public', kind] }, 'no STUN')), 'direct', kind);
    }
  });

  test('lets neighbours meet by a NAT that hairpins, and not by one that does not', () => {
    assert.deepEqual(outcomes('one-lan'), Array(5).fill('direct'));
    assert.deepEqual(outcomes('hairpin'), ['none', 'direct', 'direct', 'relayed', 'relayed']);
    assert.deepEqual(outcomes('no-hairpin'), ['none', 'none', 'relayed', 'relayed', 'relayed']);
  });

  test('has families of addresses meet by a relay alone', () => {
    for (const kind of kindsBut('udp-blocked', 'ipv6-only')) {
      const pair = { kinds: [kind, 'ipv6-only'] };
      assert.deepEqual(
        Object.keys(SERVERS).map((servers) => outcome(predict(pair, servers))),
        ['none', 'none', 'relayed', 'relayed', 'relayed'],
      );
    }
  });

  test('tells the types of candidates that each side may have', () => {
    const { sides } = of('port-restricted × port-restricted', 'STUN');
    assert.deepEqual(sides[0].local, new Set(['host', 'srflx', 'prflx']));
    assert.deepEqual(sides[0].remote, new Set(['srflx', 'prflx']));
    const [, symmetric] = of('public × symmetric', 'STUN').sides;
    assert.deepEqual(symmetric.local, new Set(['host', 'prflx']));
    assert.deepEqual(symmetric.remote, new Set(['host', 'prflx']));
  });

  test('has each side say what it can know of why it does not connect', () => {
    const reasons = (name, servers) => of(name, servers).sides.map((side) => [...side.reasons]);
    const { NO_ROUTE, NO_ANSWER, UDP_BLOCKED, TURN_UNREACHABLE } = REASONS;
    assert.deepEqual(reasons('symmetric × symmetric', 'STUN'), [[NO_ROUTE], [NO_ROUTE]]);
    assert.deepEqual(reasons('public × udp-blocked', 'no STUN'), [[NO_ROUTE], [NO_ROUTE]]);
    assert.deepEqual(reasons('public × udp-blocked', 'STUN'), [[NO_ROUTE], [UDP_BLOCKED]]);
    assert.deepEqual(reasons('public × udp-blocked', 'TURN/UDP'), [
      [NO_ANSWER],
      [UDP_BLOCKED, TURN_UNREACHABLE],
    ]);
  });
});
