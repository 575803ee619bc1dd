/** Video whose every frame is labeled: a dot that moves and bounces. */
import { requireNumber } from '../tensor/checks.ts'
import { fillNormal } from '../tensor/random.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { Draws, SEEDED, type Seeded, seededBy } from './draws.ts'
import { requireInteger, requireOptions } from './guards.ts'

export interface MovingDotsOptions extends Seeded {
  /** B, how many clips. */
  readonly clips: number
  /** T, the frames of each. */
  readonly frames: number
  /** H, at least 2. */
  readonly height: number
  /** W, at least 2. */
  readonly width: number
  /** Deviation of the normal noise that is added to every pixel. Default: 0. */
  readonly noise?: number
}

export interface MovingDots {
  /** f32 [B, T, H, W, 1]: 1 where the dot is, 0 elsewhere, and the noise. */
  readonly inputs: Tensor
  /** For each frame, f32 [B, T, 2]: row and column of the dot. */
  readonly positions: Tensor
  /**
   * For each frame, i32 [B, T]: the direction of the move that led to it, 0 … 7: up, then clockwise by eighths (1 is up and
   * right). Frame 0 has that of frame 1: no network can tell it there.
   */
  readonly directions: Tensor
  /** For each clip, i32 [B]: the direction in which the dot set out, to be remembered over its bounces. */
  readonly labels: Tensor
}

/** Rows and columns of a move, by direction. */
const MOVES = [[-1, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1]] as const // biome-ignore format: one line

/**
 * Clips of a dot of one pixel that begins anywhere, sets out in one of eight directions and goes one pixel a frame; where
 * it would leave the image it turns around, in the row, the column or both.
 *
 *     const { inputs, labels } = movingDots({ clips: 64, frames: 8, height: 12, width: 12, seed: 1 })
 *
 * @throws {ArgumentError} for options outside their range
 */
export function movingDots(options: MovingDotsOptions): MovingDots {
  requireOptions('movingDots', options, ['clips', 'frames', 'height', 'width', 'noise', ...SEEDED])
  const { clips, frames, height, width, noise = 0 } = options
  requireInteger('movingDots: clips', clips, 1)
  requireInteger('movingDots: frames', frames, 1)
  requireInteger('movingDots: height', height, 2)
  requireInteger('movingDots: width', width, 2)
  requireNumber('movingDots', 'noise', noise, 'of at least 0')
  const { seed, stream } = seededBy('movingDots', options)
  const draws = new Draws('movingDots', options)
  const inputs = new Float32Array(clips * frames * height * width)
  if (noise > 0) fillNormal(inputs, seed, stream, 0, noise)
  const positions = new Float32Array(clips * frames * 2)
  const directions = new Int32Array(clips * frames)
  const labels = new Int32Array(clips)
  for (let b = 0; b < clips; b++) {
    let [row, column] = [draws.below(height), draws.below(width)]
    let [down, right] = turned(MOVES[draws.below(8)]!, row, column, height, width)
    labels[b] = directionOf(down, right)
    for (let t = 0; t < frames; t++) {
      if (t > 0) {
        ;[down, right] = turned([down, right], row, column, height, width)
        row += down
        column += right
      }
      const frame = b * frames + t
      inputs[(frame * height + row) * width + column]! += 1
      positions.set([row, column], 2 * frame)
      directions[frame] = directionOf(down, right)
    }
  }
  return {
    inputs: tensor(inputs, [clips, frames, height, width, 1]),
    positions: tensor(positions, [clips, frames, 2]),
    directions: tensor(directions, [clips, frames]),
    labels: tensor(labels, [clips]),
  }
}

/** The move from here, after a bounce where it would leave the image. */
function turned(
  [down, right]: readonly [number, number],
  row: number,
  column: number,
  height: number,
  width: number,
): [number, number] {
  const stays = (at: number, size: number) => at >= 0 && at < size
  return [stays(row + down, height) ? down : -down, stays(column + right, width) ? right : -right]
}

function directionOf(down: number, right: number): number {
  return MOVES.findIndex(([d, r]) => d === down && r === right)
}
