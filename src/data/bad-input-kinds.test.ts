/** Bad input of series, DNA, SMILES, words, passages, video and the generators: the error, and the place that it names. */
import { expect, test } from 'vitest'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import * as data from './index.ts'

const { windows, standardize, minMax, linearForecast, naiveForecast, splitInOrder, kmers, WordVocabulary } =
  data
const column = tensor([[1], [2], [4]])
const pair = tensor([[1, 1], [2, 2], [4, 4]]) // biome-ignore format: one line
const nameless = () => data.parseFasta('ACGT')
const fasta = (text: string) => () => data.parseFasta(text, 'a.fa')

const cases: [string, () => unknown, new (message: string) => Error, RegExp][] = [
  ['a short series', () => windows([1, 2, 3], { length: 3 }), DataError, /at least 4 steps; received 3/],
  ['a gap', () => windows([[1, 2], [3, Number.NaN]], { length: 1 }), DataError, /NaN at series\[1\]\[1\]/], // biome-ignore format: one line
  ['more than f32 holds', () => windows([[1, 2], [3, 1e39]], { length: 1 }), DataError, /f32 holds; received 1e\+39 at series\[1\]\[1\]/], // biome-ignore format: one line
  ['as far below', () => windows([1, -3.5e38], { length: 1 }), DataError, /-3.5e\+38 at series\[1\]/],
  ['a FASTA without a name', nameless, DataError, /^the FASTA, line 1: expected a line that begins with ">"/],
  [
    'a name that is none',
    () => data.parseFasta('>a', 7 as never),
    ArgumentError,
    /parseFasta: name: .*number/,
  ],
  [
    'a stride in quotation marks',
    () => kmers('ACGT', 2, { stride: '2' as never }),
    ArgumentError,
    /received "2"/,
  ],
  ['a short row', () => windows([[1, 2], [3]], { length: 1 }), ShapeError, /2 values at series\[1\]; received 1/], // biome-ignore format: one line
  ['a row that is none', () => windows([[1], 2] as never, { length: 1 }), ShapeError, /series\[1\]; received number/], // biome-ignore format: one line
  ['a word', () => windows([1, 'b'] as never, { length: 1 }), ShapeError, /number at series\[1\]; received string/], // biome-ignore format: one line
  ['four axes', () => windows([[[[1]]]], { length: 1 }), ShapeError, /received \[1, 1, 1, 1\]/],
  ['no column', () => windows([1, 2], { length: 1, target: [1] }), ArgumentError, /0 to 0; received \[1\]/],
  ['no columns', () => windows([1, 2], { length: 1, target: [] }), ArgumentError, /columns from 0 to 0/],
  ['every step?', () => windows([1, 2], { length: 1, everyStep: 1 as never }), ArgumentError, /everyStep/],
  ...(['length', 'horizon', 'stride'] as const).flatMap((name): typeof cases =>
    [0, 1.5, null, '1'].map((odd) => [
      `${name} ${odd}`,
      () => windows([1, 2, 3], { length: 1, [name]: odd as never }),
      ArgumentError,
      new RegExp(`windows: ${name} must be an integer`),
    ]),
  ),
  ...[undefined, null, 7, 'ab', {}].flatMap((odd): typeof cases => [
    [`a series ${odd}`, () => standardize(odd as never), ArgumentError, /standardize: expected a series/],
    [`rows ${odd}`, () => splitInOrder(odd as never, {}), ArgumentError, /splitInOrder: expected a list/],
    [`words ${odd}`, () => WordVocabulary.of(odd as never), ArgumentError, /expected a list of words/],
    [`ids ${odd}`, () => data.oneHot(odd as never, 2), ArgumentError, /oneHot: expected ids/],
    [`DNA ids ${odd}`, () => data.decodeDna(odd as never), ArgumentError, /decodeDna: expected ids/],
    [`passages ${odd}`, () => data.padNested(odd as never), ArgumentError, /expected a list at rows/],
  ]),
  ['nothing to scale', () => standardize([]), DataError, /empty/],
  ['a range that falls', () => minMax([1], { range: [1, 0] }), ArgumentError, /rise; received \[1,0\]/],
  [
    'other features',
    () => standardize([[1, 2]]).transform([1, 2]),
    ShapeError,
    /2 features; received \[2\].*select/,
  ],
  [
    'all tested',
    () => splitInOrder([1, 2], { validation: 0.5, test: 0.5 }),
    DataError,
    /2 rows .* 0 to train/,
  ],
  ['a share of no row', () => splitInOrder([1, 2, 3], { test: 0.1 }), DataError, /0 to test/],
  ['a share of 1', () => splitInOrder([1], { test: 1 }), ArgumentError, /test must be a number/],
  ['no windows', () => naiveForecast(pair), ShapeError, /\[N, L, F\]; received \[3, 2\]/],
  [
    'half a season',
    () => naiveForecast(tensor([[[1]]]), { season: 2 }),
    DataError,
    /season of 2 .* windows of 1/,
  ],
  [
    'a column twice',
    () => linearForecast({ inputs: pair, targets: column }),
    DataError,
    /number 1 of a window.*l2/,
  ],
  ['l2 below 0', () => linearForecast({ inputs: column, targets: column }, { l2: -1 }), ArgumentError, /l2/],
  [
    'rows of unlike number',
    () => linearForecast({ inputs: column, targets: tensor([1]) }),
    ShapeError,
    /3 rows .* 1 of/,
  ],
  [
    'unlike widths',
    () => linearForecast({ inputs: column, targets: column }).predict(pair),
    ShapeError,
    /rows of 1 numbers; received 2/,
  ],

  ['an id above the depth', () => data.oneHot(Int32Array.of(0, 2), 2), DataError, /0 to 1; received 2 at 1/],
  ['no letter', () => data.encodeDna('ACE'), DataError, /"E" at 2/],
  ['no letter to pair', () => data.reverseComplement('A-'), DataError, /"-" at 1/],
  ['no id of DNA', () => data.decodeDna(Int32Array.of(0, 5)), DataError, /0 to 4; received 5 at 1/],
  ['shorter than k', () => kmers('AC', 3), DataError, /2 letters has none of 3/],
  ['a large k', () => kmers('AC', 13), ArgumentError, /at most 12/],
  ['no k-mer', () => data.decodeKmer(17, 2), DataError, /0 to 16; received 17/],
  ['no records', fasta('\n; nothing\n'), DataError, /a\.fa: .*found none/],
  ['no header', fasta('\nACGT'), DataError, /a\.fa, line 2: .*before any sequence/],
  ['no id', fasta('>a\nA\n> \nC'), DataError, /a\.fa, line 3: expected an id/],
  ['no sequence', fasta('>a\n>b\nC'), DataError, /a\.fa, line 1: record a has no sequence/],
  ['a number', fasta('>a\nAC\nA1C'), DataError, /a\.fa, line 3: .*"1" at 1/],
  ...['', 'acgt', 'ACGTACGTA', 7].map((motif): (typeof cases)[number] => [
    `a motif ${motif}`,
    () => data.plantedMotif({ count: 2, length: 8, motif: motif as never }),
    ArgumentError,
    /motif must be 1 to 8 letters/,
  ]),
  ...(
    [
      ['C[NH', /"\[" at 1 .*not closed/],
      ['C%1', /"%" at 1 .*Two digits/],
      ['CCXe', /"X" at 2 .*in brackets/],
    ] as const
  ).map(([text, said]): (typeof cases)[number] => [text, () => data.tokenizeSmiles(text), DataError, said]),

  ['no language', () => data.segmentWords('a', { locale: '!' }), ArgumentError, /language tag.*"!"/],
  ['no text', () => data.segmentSentences(7 as never), ArgumentError, /expected a text; received number/],
  ['a number of words', () => WordVocabulary.of(['a', 1] as never), ArgumentError, /received number at 1/],
  ['no word that often', () => WordVocabulary.of(['a'], { minCount: 2 }), DataError, /none of 1 words/],
  [
    'room for no word',
    () => WordVocabulary.of(['a'], { maxTokens: 2 }),
    ArgumentError,
    /maxTokens .* at least 3/,
  ],
  ['a word twice', () => WordVocabulary.from(['a', 'a']), ArgumentError, /"a" again at 1/],
  ['no such id', () => WordVocabulary.of(['a']).decode([3]), DataError, /0 to 2; received 3 at 0/],
  [
    'unequally deep',
    () => data.padNested([[[1]], [2]] as never),
    ArgumentError,
    /list at rows\[1\]\[0\]; received a number/,
  ],
  ['too deep', () => data.padNested([[1], [[2]]] as never), DataError, /rows\[1\]\[0\]; received a list/],
  ['an empty chapter', () => data.padNested([[[1]], []]), DataError, /rows\[1\] is empty/],
  ['half an id', () => data.padNested([[1], [2, 0.5]]), DataError, /id at rows\[1\]\[1\]; received 0\.5/],
  ['a large id', () => data.padNested([[2 ** 31]]), DataError, /rows\[0\]\[0\]; received 2147483648/],
  ['half a padding', () => data.padNested([[1]], 0.5), ArgumentError, /padding .* received 0\.5/],
  ['not nested', () => data.padNested([1, 2] as never), ArgumentError, /lists of lists/],

  [
    'more sums than there are',
    () => data.additionSums({ count: 56, digits: 1 }),
    ArgumentError,
    /55 sums of 1 digits/,
  ],
  ['many digits', () => data.additionSums({ count: 1, digits: 8 }), ArgumentError, /at most 7/],
  [
    'markers',
    () => data.addingProblem({ count: 1, steps: 4, markers: 'x' as never }),
    ArgumentError,
    /halves, anywhere/,
  ],
  [
    'a flat video',
    () => data.movingDots({ clips: 1, frames: 1, height: 1, width: 2 }),
    ArgumentError,
    /height .* 2/,
  ],
  ['a text of Reber', () => data.isReber(7 as never), ArgumentError, /isReber: expected a text/],
]

/** Each generator with the least it takes; every count of it must be an integer, and seed and stream in their range. */
const generators: Record<string, [(options: never) => unknown, Record<string, number>]> = {
  addingProblem: [data.addingProblem, { count: 1, steps: 2 }],
  additionSums: [data.additionSums, { count: 1 }],
  copyMemory: [data.copyMemory, { count: 1, delay: 1 }],
  datePairs: [data.datePairs, { count: 1 }],
  mackeyGlass: [data.mackeyGlass, { steps: 1 }],
  movingDots: [data.movingDots, { clips: 1, frames: 1, height: 2, width: 2 }],
  narma10: [data.narma10, { steps: 1 }],
  plantedMotif: [data.plantedMotif, { count: 1, length: 6 }],
  reberStrings: [data.reberStrings, { count: 1 }],
  twoSines: [data.twoSines, { count: 1, steps: 2 }],
}
for (const [name, [make, least]] of Object.entries(generators)) {
  const wrong = (option: string, values: readonly unknown[]) => {
    for (const odd of values) {
      const options = { ...least, [option]: odd } as never
      cases.push([
        `${name}, ${option} ${String(odd)}`,
        () => make(options),
        ArgumentError,
        new RegExp(option),
      ])
    }
  }
  for (const option of Object.keys(least)) wrong(option, [0, 1.5, null, '1', Number.NaN])
  wrong('seed', [0.5, null, '1'])
  wrong('stream', [-1, 2 ** 32, 0.5, '1'])
  wrong('sed', [1])
}

test.each(cases)('%s', (_name, run, kind, message) => {
  expect(run).toThrow(kind)
  expect(run).toThrow(message)
})

test('what is at the edge of what is allowed is taken', () => {
  for (const [make, least] of Object.values(generators)) expect(() => make(least as never)).not.toThrow()
  expect(windows([1, 2], { length: 1 }).targets.shape).toEqual([1, 1])
  const { predict } = linearForecast({ inputs: pair, targets: column }, { l2: 1e-9 })
  expect((predict(pair) as Tensor).data[2]).toBeCloseTo(4, 4)
})
