/** What the calls of a functional model do besides those that stand one after the other. */
import { ArgumentError, ShapeError } from '../tensor/errors.ts'
import { printShape, sameShape } from '../tensor/size.ts'
import { aligned } from './merging.ts'
import type { Wiring } from './model.ts'

export const WIRING: Wiring = {
  aligned,
  partOf: ({ output, states }, part) => {
    const found = states.get(part)
    const signal = output.others?.[part] ?? (found && { value: found, sequence: false })
    if (signal !== undefined) return signal
    const known = [...Object.keys(output.others ?? {}), ...states.keys()].join(', ')
    throw new ArgumentError(`a layer yields ${known || 'its output alone'}; nothing of it is named ${part}`)
  },
  handOver: ({ name, states: given }, own, read, done, scope) => {
    const begins = new Map(
      typeof given === 'number'
        ? done[given]!.states
        : Object.entries(given ?? {}).map(([key, source]) => [key, read(source).value]),
    )
    return {
      scope: {
        ...own,
        // Not copied: it tells who reads it.
        get others() {
          return own.others
        },
        initial: (key, begin) => {
          const value = begins.get(key)
          begins.delete(key)
          if (value === undefined) return own.initial(key, begin)
          if (sameShape(value.shape, begin.shape)) return scope.initial(`${name}/${key}`, value, true)
          throw new ShapeError(
            `${name}: state ${key} must be f32${printShape(begin.shape)}; received ${printShape(value.shape)} as its initial state`,
          )
        },
      },
      check: (states) => {
        const [odd] = begins.keys()
        if (odd === undefined) return
        throw new ArgumentError(
          `${name}: initialState names ${odd}; its states are ${states.join(', ') || 'none'}`,
        )
      },
    }
  },
}
