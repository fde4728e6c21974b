/** WebRTC for Node, as what `--webrtc` may name. */

/**
 * werift, with one repair: without a STUN server of ours it would ask one in the internet, which
 * is not for a test to do, and takes seconds where there is none.
 */
const loadWerift = async () => {
  const { Connection, RTCPeerConnection } = await import('werift');
  const { gatherCandidates } = Connection.prototype;
  Connection.prototype.gatherCandidates = function gatherWithoutStrangers() {
    if (!this.options.stunServer) {
      this.stunServer = undefined;
    }
    return gatherCandidates.call(this);
  };
  return RTCPeerConnection;
};

/**
 * node-datachannel, with one repair: it has an empty remote description where the standard has
 * `null` until there is one. Trystero goes by that to hold back the candidates that overtake a
 * description, which happens to one connection in fifty.
 */
const loadNodeDatachannel = async () => {
  const { RTCPeerConnection } = await import('node-datachannel/polyfill');
  return class extends RTCPeerConnection {
    get remoteDescription() {
      const description = super.remoteDescription;
      return description.sdp ? description : null;
    }
  };
};

const WEBRTC = { werift: loadWerift, 'node-datachannel': loadNodeDatachannel };

/** The `RTCPeerConnection` of the library called `name`. */
export const loadWebrtc = (name) => {
  if (!Object.hasOwn(WEBRTC, name)) {
    throw new Error(`--webrtc is one of ${Object.keys(WEBRTC).join(', ')}`);
  }
  return WEBRTC[name]();
};
