/** Where lines enter boxes from below, and which of them run along the middle of a column. */
import { channelAt, type Grid } from './grid.ts'
import type { Lanes } from './lanes.ts'
import type { Box, Sheet } from './sheet.ts'

/**
 * By box and net: 0 in the middle, for what comes straight up, or first where nothing else runs there; others to the left of it,
 * −1, −2, …, or to the right, by where they come from. `middles` gets to know where lines begin, run straight up and enter.
 */
export function portsOf({ arrows }: Sheet, grid: Grid, middles: Lanes): Map<Box, Map<string, number>> {
  const read = new Map<Box, Map<string, Box[]>>()
  for (const { exit, entry, from, to, net } of arrows) {
    for (const box of exit === 'top' ? from : []) {
      middles.claimFirst(grid.columnOf(box), channelAt(box.row), channelAt(box.row), box.id)
    }
    if (entry !== 'bottom') continue
    const nets = read.get(to) ?? new Map<string, Box[]>()
    read.set(to, nets.set(net, [...(nets.get(net) ?? []), ...from]))
  }
  const straight = new Map<Box, string>()
  for (const [to, nets] of read) {
    const column = grid.columnOf(to)
    for (const [net, boxes] of nets) {
      const below = boxes.find(
        (box) => grid.columnOf(box) === column && grid.isFreeColumn(column, box.row, to.row),
      )
      if (below === undefined) continue
      middles.claimFirst(column, channelAt(below.row), channelAt(to.row - 1), below.id)
      straight.set(to, net)
    }
  }
  const ports = new Map<Box, Map<string, number>>()
  for (const [to, nets] of read) {
    const column = grid.columnOf(to)
    const own = new Map<string, number>()
    let [left, right] = [0, 0]
    const isMiddle = (net: string, box: Box) => {
      if (straight.has(to)) return straight.get(to) === net
      const under = channelAt(to.row - 1)
      return own.size === 0 && middles.claimFirst(column, under, under, box.id)
    }
    for (const [net, boxes] of nets) {
      const [first] = boxes as [Box]
      own.set(net, isMiddle(net, first) ? 0 : grid.columnOf(first) <= column ? --left : ++right)
    }
    ports.set(to, own)
  }
  return ports
}
