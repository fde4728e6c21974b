/** Which addresses a connection uses, out of its statistics. */

/** The selected pair of candidates of an `RTCPeerConnection`, as `pairs` tells it. */
export const describePair = async (connection) => {
  const report = [...(await connection.getStats()).values()];
  const byId = new Map(report.map((entry) => [entry.id, entry]));
  const transport = report.find(({ type }) => type === 'transport');
  const pair = byId.get(transport?.selectedCandidatePairId) ?? report.find(isInUse);
  return {
    local: describeCandidate(byId.get(pair?.localCandidateId)),
    remote: describeCandidate(byId.get(pair?.remoteCandidateId)),
    rtt: pair?.currentRoundTripTime && pair.currentRoundTripTime * 1000,
    dtls: transport?.tlsVersion,
    cipher: transport?.dtlsCipher,
    ufrags: [connection.localDescription, connection.remoteDescription].map(ufragOf),
  };
};

/** The fragment that ICE goes by; another one after a restart. */
const ufragOf = (description) => description?.sdp.match(/a=ice-ufrag:(\S+)/)?.[1];

const isInUse = ({ type, state, nominated }) =>
  type === 'candidate-pair' && state === 'succeeded' && nominated;

const describeCandidate = (candidate) =>
  candidate && {
    type: candidate.candidateType,
    address: candidate.address ?? candidate.ip,
    port: candidate.port,
    protocol: candidate.protocol ?? 'udp',
  };
