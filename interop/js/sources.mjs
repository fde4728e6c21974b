/** Tracks of a browser, from its fake devices or made here. */

/** The columns of the pattern, from the left, as red, green and blue. */
const COLUMNS = [
  [235, 235, 235],
  [200, 200, 0],
  [0, 200, 200],
  [0, 200, 0],
  [200, 0, 200],
  [200, 0, 0],
  [0, 0, 200],
];
const [WIDTH, HEIGHT, FRAMES_PER_SECOND] = [320, 240, 30];

/** A track of this kind: of a device if `source` says so. */
export const makeTrack = async (kind, source) => {
  if (source === 'device') {
    const media = await navigator.mediaDevices.getUserMedia({ [kind]: true });
    return media.getTracks()[0];
  }
  return kind === 'audio' ? makeTone() : makePattern();
};

/** Colours that stand still above a counter that runs, so that every frame differs. */
const makePattern = () => {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext('2d');
  let frame = 0;
  const draw = () => {
    COLUMNS.forEach((colour, column) => {
      const width = WIDTH / COLUMNS.length;
      context.fillStyle = `rgb(${colour})`;
      context.fillRect(column * width, 0, width, HEIGHT);
    });
    context.fillStyle = 'black';
    context.fillRect((frame * 4) % WIDTH, HEIGHT - 20, 16, 16);
    frame += 1;
  };
  draw();
  const timer = setInterval(draw, 1000 / FRAMES_PER_SECOND);
  const [track] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  const stop = track.stop.bind(track);
  track.stop = () => {
    clearInterval(timer);
    stop();
  };
  return track;
};

const makeTone = () => {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: 440 });
  const destination = context.createMediaStreamDestination();
  oscillator.connect(destination);
  oscillator.start();
  const [track] = destination.stream.getAudioTracks();
  const stop = track.stop.bind(track);
  track.stop = () => {
    context.close();
    stop();
  };
  return track;
};
