/** Audio and video in files, made and looked into by FFmpeg. */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const WIDTH = 320;
export const HEIGHT = 240;
export const FRAMES_PER_SECOND = 30;

/** How each codec is encoded quickly, and in what it is put. */
const ENCODERS = {
  VP8: ['ivf', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k'],
  VP9: ['ivf', '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '500k'],
  AV1: ['ivf', '-c:v', 'libaom-av1', '-cpu-used', '8', '-usage', 'realtime', '-b:v', '500k'],
  opus: ['ogg', '-c:a', 'libopus', '-frame_duration', '20', '-b:a', '32k'],
};

/** The seven columns of the pattern, from the left, as FFmpeg's `smptebars` has them. */
export const BAR_COLOURS = [
  [180, 180, 180],
  [180, 180, 16],
  [16, 180, 180],
  [16, 180, 16],
  [180, 16, 180],
  [180, 16, 16],
  [16, 16, 180],
];

/** Where the middle of each column is, above what is below the columns. */
export const BAR_POINTS = BAR_COLOURS.map((_, column) => [(column + 0.5) / 7, 0.3]);

/** Why there is none, or nothing if there is. */
export const whyMissing = () => {
  const { error } = spawnSync('ffmpeg', ['-version']);
  return error && `ffmpeg does not start: ${error.message}`;
};

/** Makes a file of so many seconds in `folder`: colour bars, or a tone. */
export const makeFile = async (folder, codec, seconds) => {
  const [format, ...encoder] = ENCODERS[codec];
  const path = join(folder, `${codec}.${format}`);
  const source =
    codec === 'opus'
      ? 'sine=frequency=440:sample_rate=48000'
      : `smptebars=size=${WIDTH}x${HEIGHT}:rate=${FRAMES_PER_SECOND}`;
  const options = codec === 'opus' ? [] : ['-pix_fmt', 'yuv420p', '-g', `${FRAMES_PER_SECOND}`];
  await run('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', source, '-t', `${seconds}`],
    ...[...options, ...encoder, '-f', format, path],
  ]);
  return path;
};

/** Decodes all of a file; FFmpeg's complaints are `errors`. */
export const decode = async (path) => {
  const shown = 'stream=codec_name,nb_read_frames,width,height';
  const { stdout, stderr } = await run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-show_entries', shown, '-of', 'json', path],
  ]);
  const [{ codec_name: codec, nb_read_frames: frames, width, height }] =
    JSON.parse(stdout).streams;
  return { codec, frames: Number(frames), width, height, errors: stderr.trim() };
};
