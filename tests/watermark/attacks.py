"""What happens to a delivered picture or clip: luma planes in, luma planes out. For tests only."""

import io

import av
import cv2
import numpy as np


def resized(y, k):
    return cv2.resize(y, None, fx=k, fy=k, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_CUBIC)


def jpeg(y, quality):
    return cv2.imdecode(cv2.imencode(".jpg", y, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def cropped(y, area, ox=0.37, oy=0.61):
    h, w = y.shape
    ch, cw = int(h * area**0.5), int(w * area**0.5)
    top, left = int((h - ch) * oy), int((w - cw) * ox)
    return y[top : top + ch, left : left + cw].copy()


def rotated(y, degrees):
    h, w = y.shape
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    return cv2.warpAffine(y, turn, (w, h), flags=cv2.INTER_CUBIC)


def mirrored(y):
    return y[:, ::-1].copy()


def x264(planes, crf, target=None):
    """Decoded luma planes after H.264 at a constant rate factor; ``target`` keeps the file."""
    h, w = planes[0].shape[0] // 2 * 2, planes[0].shape[1] // 2 * 2
    buffer = io.BytesIO() if target is None else None
    grey = np.full((h // 2, w), 128, np.uint8)
    with av.open(buffer if target is None else str(target), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", "g": "48"}
        for y in planes:
            i420 = np.concatenate([np.ascontiguousarray(y[:h, :w]), grey])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(i420, format="yuv420p")))
        out.mux(stream.encode())
    source = str(target) if buffer is None else io.BytesIO(buffer.getvalue())
    with av.open(source) as back:
        return [frame.to_ndarray(format="yuv420p")[:h].copy() for frame in back.decode(video=0)]


def averaged(residuals):
    """What an attacker without the key takes for the pattern: the mean of many residuals, high-passed."""
    mean = sum(residuals) / len(residuals)
    return mean - cv2.blur(mean, (15, 15))


def pasted(y, pattern, strength):
    """Add (or, below zero, subtract) an estimated canonical pattern under a guessed mask."""
    h, w = pattern.shape
    small = cv2.resize(y, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    activity = cv2.blur(np.abs(small - cv2.blur(small, (15, 15))), (15, 15))
    delta = pattern / pattern.std() * np.minimum(0.5 + 0.32 * activity, 4) * strength
    return cv2.add(y, cv2.resize(delta.astype(np.float32), y.shape[::-1]), dtype=cv2.CV_8U)


def folded(residuals, tile=128, low=6, high=27):
    """The estimate that erases a periodic mark: all tiles averaged, the band kept, tiled again."""
    total = sum(residuals)
    h, w = total.shape
    total = np.pad(total, ((0, -h % tile), (0, -w % tile)))
    one = total.reshape(-1, tile, total.shape[1]).sum(0).reshape(tile, -1, tile).sum(1)
    spectrum = np.fft.fft2(one)
    fu = np.fft.fftfreq(tile, 1 / tile)
    radius = np.hypot(*np.meshgrid(fu, fu))
    spectrum[(radius < low) | (radius > high)] = 0
    return np.tile(np.fft.ifft2(spectrum).real, (total.shape[0] // tile, total.shape[1] // tile))[:h, :w]
