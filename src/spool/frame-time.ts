/** Longest gap between two frames that counts as it is. */
const MAX_GAP_MS = 60_000;
/** A longer gap is never one between two cycles: the longest interval, and as much again for a late cycle. */
const MAX_INTERVAL_MS = 7_200_000;

/**
 * Converts the wall-clock times of frames, in their order, to a clock that never steps. The wall clock alone does not tell how old
 * a frame is: it may be wrong now, may have been wrong at the append, or may have been set in between. So a step back counts as no
 * time, and a gap counts as a minute at most, or as much as the gap before it. That is enough for an agent that runs. The time
 * between two agents is such a gap too. So the age of a frame may be too low, but is too high by one such gap at most.
 */
export class FrameTime {
  #ms: number;
  #wallMs: number | undefined;
  #lastGapMs = 0;

  /** `startMs` is the time of the first frame. */
  constructor(startMs = 0) {
    this.#ms = startMs;
  }

  /** Returns the time of the next frame, or of the present after all frames. */
  next(wallMs: number): number {
    const gapMs = Math.max(0, wallMs - (this.#wallMs ?? wallMs));
    this.#wallMs = wallMs;
    this.#ms += Math.min(gapMs, Math.max(MAX_GAP_MS, this.#lastGapMs));
    this.#lastGapMs = gapMs <= MAX_INTERVAL_MS ? gapMs : 0;
    return this.#ms;
  }
}
