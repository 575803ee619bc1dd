/** Cells against values that cells/cells.py computed from the equations of their papers. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Cell } from '../../src/cells/define.ts'
import * as cells from '../../src/cells/index.ts'
import { recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { stateInput } from '../../src/train/leaves.ts'
import { type Named, outside, runOracle, traceLoss } from '../contract/support.ts'

interface Case {
  readonly cell: string
  readonly options: object
  readonly sizes: { readonly T: number; readonly B: number; readonly I: number | readonly number[] }
  readonly params: Named
  readonly x: readonly number[]
  /** By state, for each row its own. */
  readonly initial: Named
  readonly output: readonly number[]
  readonly final: Named
}

const makers = new Map<string, unknown>(Object.entries(cells))
const file = new URL('cells/cells.json', import.meta.url)
const CASES: readonly Case[] = JSON.parse(readFileSync(file, 'utf8'))

test.each(CASES.map((each) => [`${each.cell} ${JSON.stringify(each.options)}`, each] as const))(
  '%s',
  (_, { cell, options, sizes: { T, B, I }, params, x, initial, output, final }) => {
    const make = makers.get(cell) as (options: object) => Cell
    const layer = recurrent(make(options), { returnSequences: true, name: 'r' })
    const model = sequential([layer], { input: { shape: [null, ...[I].flat()], dtype: 'f32' } })
    const prefixed = (named: Named, name: (key: string) => string) =>
      Object.fromEntries(Object.entries(named).map(([key, values]) => [name(`r/${key}`), values]))
    const given = {
      ...prefixed(params, (path) => path),
      ...prefixed(initial, stateInput),
      ...{ x, y: new Array<number>(output.length).fill(0), fresh: new Array<number>(B).fill(0) },
    }
    const paths = Object.keys(prefixed(initial, (path) => path))
    const named = traceLoss(model, 'meanSquaredError', false, false, paths)
    const expected = { output, ...prefixed(final, (path) => `final ${path}`) }
    const received = runOracle(named, given, new Map(Object.entries({ T, B })))
    expect(outside('f64', received, expected)).toEqual([])
  },
)
