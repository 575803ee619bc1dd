/** What few programs need. Loaded when one does, so that pages which do without do not download it. */
import { emitFirsts, emitGather, emitScatterAdd, emitSetRows } from './gather.ts'
import { emitByLane, emitFloorDiv, emitMod, emitRandom } from './integers.ts'
import type { Rare } from './kernel.ts'
import { emitRow } from './row.ts'
import { emitArgsort } from './sort.ts'
import { emitCos, emitSin } from './trigonometry.ts'

export const RARE: Rare = {
  apply: {
    sin: emitSin,
    cos: emitCos,
    floorDiv: (f) => emitByLane(f, emitFloorDiv),
    mod: (f) => emitByLane(f, emitMod),
    random: emitRandom,
  },
  kernels: {
    gather: emitGather,
    argsort: emitArgsort,
    scatterAdd: emitScatterAdd,
    firsts: emitFirsts,
    setRows: emitSetRows,
    row: emitRow,
  },
}
