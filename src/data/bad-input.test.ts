import { expect, test } from 'vitest'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { tensor } from '../tensor/tensor.ts'
import { decodeText, holdOut, sequences, textWindows, Vocabulary, wittenBell } from './index.ts'

const ids = new Int32Array(20)
const abc = Vocabulary.of('abc')
const one = [[[1]]]
const bytes = Uint8Array

const cases: [string, () => unknown, new (message: string) => Error, RegExp][] = [
  ['no bytes', () => decodeText(bytes.of(), 'a.txt'), DataError, /a\.txt.* empty/],
  ['only a mark', () => decodeText(bytes.of(0xef, 0xbb, 0xbf), 'a.txt'), DataError, /a\.txt.* empty/],
  [
    'binary',
    () => decodeText(bytes.of(0x89, 0x50, 0), 'a.txt'),
    DataError,
    /a\.txt.* byte 2 is zero.*UTF-16/,
  ],
  [
    'Latin-1',
    () => decodeText(bytes.of(0x43, 0xe6, 0x73), 'a.txt'),
    DataError,
    /a\.txt.* byte 1 \(0xe6\).*iconv/,
  ],
  ['cut short', () => decodeText(bytes.of(0x61, 0xe2, 0x82), 'a.txt'), DataError, /byte 1 \(0xe2\)/],

  ['vocabulary of nothing', () => Vocabulary.of(''), DataError, /empty/],
  ['no characters', () => Vocabulary.from([]), ArgumentError, /at least one/],
  ['two in one', () => Vocabulary.from(['a', 'bc']), ArgumentError, /"bc" at 1/],
  ['a character twice', () => Vocabulary.from(['a', 'b', 'a']), ArgumentError, /U\+0061.* again at 2/],
  ['unknown character', () => abc.encode('ab\u{1F600}é'), DataError, /character 2 .*U\+1F600.*unknown/],
  ['unknown is no id', () => abc.encode('d', { unknown: 3 }), ArgumentError, /0 to 2; received 3/],
  ['no such id', () => abc.decode([0, 3]), DataError, /0 to 2; received 3 at 1/],

  ...[undefined, null, 7, {}, true].flatMap((odd): typeof cases => [
    [
      `a vocabulary of ${odd}`,
      () => Vocabulary.of(odd as never),
      ArgumentError,
      /Vocabulary.of: expected a text/,
    ],
    [`characters ${odd}`, () => Vocabulary.from(odd as never), ArgumentError, /list of at least one/],
    [`encoding ${odd}`, () => abc.encode(odd as never), ArgumentError, /encode: expected a text/],
    [`decoding ${odd}`, () => abc.decode(odd as never), ArgumentError, /decode: expected a list of ids/],
    [`holding out ${odd}`, () => holdOut(odd as never, 0.5), ArgumentError, /holdOut: expected a list/],
    [`a document ${odd}`, () => holdOut([odd as never], 0.5), ArgumentError, /holdOut: expected ids/],
    [`counting ${odd}`, () => wittenBell(odd as never, 1, 3), ArgumentError, /wittenBell: expected ids/],
    [
      `measuring ${odd}`,
      () => wittenBell(ids, 1, 3).bitsPerToken(odd as never),
      ArgumentError,
      /expected ids/,
    ],
    [`bytes ${odd}`, () => decodeText(odd as never, 'a.txt'), ArgumentError, /a\.txt: expected bytes/],
  ]),
  ['a text in a list', () => abc.decode(['1'] as never), DataError, /0 to 2; received "1" at 0/],
  ['a misspelt unknown', () => abc.encode('a', { unkown: 0 } as never), ArgumentError, /no option unkown/],
  ['an encoding', () => decodeText(bytes.of(0x61), 'a', 'utf8' as never), ArgumentError, /utf-8, latin1/],

  ['hold out nothing', () => holdOut([ids], 0), ArgumentError, /between 0 and 1.*received 0/],
  ['hold out NaN', () => holdOut([ids], Number.NaN), ArgumentError, /received NaN/],
  ['too little held out', () => holdOut([ids], 0.05), DataError, /held-out part.*20 leaves it 1/],
  ['too little left', () => holdOut([ids], 0.95), DataError, /training part.*20 leaves it 1/],

  [
    'shorter than a window',
    () => textWindows(ids, { batch: 4, steps: 5 }),
    DataError,
    /least 21 .* has 20.*smaller/,
  ],
  ...[0, -1, 1.5, Number.NaN, Infinity].flatMap((size): typeof cases => [
    [
      `batch ${size}`,
      () => textWindows(ids, { batch: size, steps: 2 }),
      ArgumentError,
      /textWindows: batch must be an integer/,
    ],
    [
      `steps ${size}`,
      () => textWindows(ids, { batch: 2, steps: size }),
      ArgumentError,
      /textWindows: steps must be an integer/,
    ],
    [
      `rows ${size}`,
      () => sequences(one, one, { batch: size }),
      ArgumentError,
      /sequences: batch must be an integer/,
    ],
    [`vocabulary ${size}`, () => wittenBell(ids, 3, size), ArgumentError, /vocabularySize must be/],
  ]),

  ['no sequence', () => sequences([], [], { batch: 1 }), DataError, /at least one sequence/],
  ['no step', () => sequences([[]], [[]], { batch: 1 }), DataError, /sequence 0 has no time step/],
  ['too few targets', () => sequences([[1], [2]], one, { batch: 1 }), DataError, /2 sequences; received 1/],
  ['too few rows', () => sequences(one, tensor([1, 2]), { batch: 1 }), DataError, /\[2\].* each of the 1/],
  ['short targets', () => sequences([[1, 2]], [[1]], { batch: 1 }), DataError, /0 has 2 steps; received 1/],
  [
    'unlike widths',
    () => sequences([[[1]], [[1, 2]]], one, { batch: 1 }),
    ShapeError,
    /\[T, 1\].*1 f32 \[T, 2\]/,
  ],
  ['a scalar', () => sequences([tensor(1)], one, { batch: 1 }), DataError, /no time step/],

  ...[undefined, null, 7, 'ab', [undefined], [7], ['ab'], [null]].flatMap((odd): typeof cases => [
    [
      `odd inputs ${JSON.stringify(odd)}`,
      () => sequences(odd as never, one, { batch: 1 }),
      ArgumentError,
      /inputs/,
    ],
  ]),
  ...[undefined, null, 7, 'a', ['ab'], [null], [1, [2]]].flatMap((odd): typeof cases => [
    [
      `odd targets ${JSON.stringify(odd)}`,
      () =>
        sequences([[[1]], [[2]]].slice(0, Array.isArray(odd) ? odd.length : 1), odd as never, { batch: 1 }),
      ArgumentError,
      /targets/,
    ],
  ]),
  [
    'no options',
    () => sequences(one, one, undefined as never),
    ArgumentError,
    /options \{ batch, mask, weights, labels, shuffle, seed, bucket \}/,
  ],
  [
    'a misspelt option',
    () => sequences(one, one, { batch: 1, shufle: 1 } as never),
    ArgumentError,
    /no option shufle/,
  ],
  [
    'another misspelt one',
    () => textWindows(ids, { batch: 1, steps: 1, stride: 1 } as never),
    ArgumentError,
    /no option stride/,
  ],
  [
    'ids in a list',
    () => textWindows([1, 2, 3] as never, { batch: 1, steps: 1 }),
    ArgumentError,
    /Int32Array/,
  ],
  ...(
    [
      ['one for two', [[1]], DataError, /mask: .* 2 sequences; received 1/],
      ['shorter', [[1], [1]], DataError, /mask: sequence 1 has 2 steps; received 1/],
      ['of two', [[1], [1, 2]], DataError, /0 or 1; received 2 in sequence 1, step 1/],
      ['of nothing', [[1], [0, 0]], DataError, /no step of sequence 1 is left/],
      ['of pairs', [[[1, 1]], [[1, 1], [1, 1]]], ShapeError, /a number a step; received \[1, 2\]/], // biome-ignore format: one line
      ['of no list', 7, ArgumentError, /mask: expected a list/],
    ] as const
  ).map(([name, mask, kind, said]): (typeof cases)[number] => {
    const options = { batch: 1, mask: mask as never }
    return [`a mask ${name}`, () => sequences([[[1]], [[2], [3]]], [0, 1], options), kind, said]
  }),
  [
    'a mask without time',
    () => sequences([[1], [2]], [0, 1], { batch: 1, mask: [[1], [1]] }),
    ArgumentError,
    /no time/,
  ],
  ['half a class', () => sequences(one, [0.5], { batch: 1 }), DataError, /received 0\.5.*tensor/],
  ['rows of unlike sizes', () => sequences([[1], [1, 2]], [0, 1], { batch: 1 }), ShapeError, /row 1 2\./],

  ['order', () => wittenBell(ids, -1, 3), ArgumentError, /order must be .* 0; received -1/],
  ['id above V', () => wittenBell(Int32Array.of(0, 3), 1, 3), DataError, /0 to 2; received 3 at 1/],
  [
    'nothing to predict',
    () => wittenBell(ids, 1, 3).bitsPerToken(Int32Array.of(1)),
    DataError,
    /more than 1 tokens/,
  ],
]

test.each(cases)('%s', (_name, run, kind, message) => {
  expect(run).toThrow(kind)
  expect(run).toThrow(message)
})
