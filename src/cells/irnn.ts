import { ELMAN, type ElmanOptions, elmanCell } from './elman.ts'
import { activation, type Fields, fill, initializer } from './options.ts'

const IRNN = {
  ...ELMAN,
  kernelInitializer: initializer({ kind: 'normal', deviation: 0.001 }),
  recurrentInitializer: initializer({ kind: 'identity', gain: 1 }),
  activation: activation('relu'),
} satisfies Fields<ElmanOptions>

/**
 * The IRNN (Le et al. 2015): an Elman cell of rectifiers that begins as a memory, h(t) = relu(x U + h(t−1) W + b) with
 * W = 1, U normal of deviation 0.001 and b = 0. Its options are those of {@link elmanCell} with these defaults, and so is
 * the cell.
 * @throws {ArgumentError} for units below 1, an option or an activation that is not there
 */
export function irnnCell(options: ElmanOptions) {
  return elmanCell(fill('irnn', IRNN, options))
}
