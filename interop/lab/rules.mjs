/**
 * The rules by which the kernel is a NAT of a kind.
 *
 * Linux keeps a host's port as long as no other host has it, and lets in what belongs to a
 * conversation that began inside: with plain masquerading the mapping is independent of the
 * endpoint and the filtering is not. What differs from that is said here. Sites see to it that no
 * two hosts behind a NAT use the same ports.
 *
 * A packet from outside that is not let in is dropped before the kernel takes it for a
 * conversation, which would later keep a host from sending there with the port it has.
 */
import { ADDRESS, ADDRESS_AND_PORT, INDEPENDENT } from './kinds.mjs';

/**
 * The ruleset of a router whose interfaces are `wan` and `lan0`, `lan1` and so on.
 *
 * @param {object} nat as `kinds.mjs` describes it
 * @param {object} addresses
 * @param {string} addresses.external of `wan`
 * @param {string} addresses.inside of the host, or of the next router, behind `lan0`
 */
export const natRuleset = (nat, { external, inside }) => `
table ip lab {
  # Whom each port inside has sent to.
  set contacted {
    type inet_service . ipv4_addr
    flags dynamic,timeout
    timeout 10m
  }
  # Whose each port is.
  map owners {
    type inet_service : ipv4_addr
    flags dynamic,timeout
    timeout 10m
  }
  chain input {
    type filter hook input priority filter; policy drop;
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ${nat.udp === false ? 'meta l4proto udp drop' : ''}
    iifname "lan*" meta l4proto udp update @contacted { udp sport . ip daddr }
    iifname "lan*" meta l4proto udp update @owners { udp sport : ip saddr }
    ct state established,related accept
    ct status dnat accept
    iifname "lan*" oifname "wan" accept
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${letIn[nat.filtering](inside)}
    ${nat.hairpin ? meetAt(external) : ''}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "wan" meta l4proto udp ${masquerade[nat.mapping]}
    oifname "wan" masquerade
    oifname "lan*" iifname "lan*" ct status dnat snat to ${external}
  }
}
`;

const meetAt = (external) =>
  `iifname "lan*" ip daddr ${external} meta l4proto udp dnat to udp dport map @owners`;

const letIn = {
  [INDEPENDENT]: (inside) => `iifname "wan" meta l4proto udp dnat to ${inside}`,
  [ADDRESS]: (inside) => `iifname "wan" udp dport . ip saddr @contacted dnat to ${inside}`,
  [ADDRESS_AND_PORT]: () => '',
};

const masquerade = {
  [INDEPENDENT]: 'masquerade',
  [ADDRESS_AND_PORT]: 'masquerade fully-random',
};
