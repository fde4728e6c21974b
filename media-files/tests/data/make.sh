#!/bin/sh
# How the files of this folder were made, by ffmpeg 5.1.9 of Debian. Tests need no ffmpeg.
set -eu
cd "$(dirname "$0")"
picture="-f lavfi -i testsrc=s=64x48:r=30,format=yuv420p"
sound="-f lavfi -i sine=440:r=48000"
make="ffmpeg -v error -y -bitexact"
$make $picture -frames:v 25 -g 10 -c:v libvpx -b:v 40k -deadline realtime vp8.ivf
$make $picture -frames:v 25 -g 10 -c:v libvpx-vp9 -b:v 40k -deadline realtime -cpu-used 8 vp9.ivf
$make $picture -frames:v 25 -g 10 -c:v libx264 -profile:v baseline -bf 0 -crf 40 -x264-params scenecut=0:keyint=10 -bsf:v filter_units=remove_types=6 -f h264 baseline.h264
$make $picture -frames:v 25 -g 10 -c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 40k av1.ivf
$make $sound -t 0.5 -c:a libopus -b:a 12k -frame_duration 20 sine.opus
$make $picture $sound -t 0.5 -g 10 -c:v libvpx -b:v 40k -deadline realtime -c:a libopus -b:a 12k vp8-opus.webm
$make $picture $sound -t 0.5 -g 10 -c:v libvpx-vp9 -b:v 40k -deadline realtime -cpu-used 8 -c:a libopus -b:a 12k vp9-opus.webm
$make $picture -t 0.5 -g 10 -c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 40k av1.webm
