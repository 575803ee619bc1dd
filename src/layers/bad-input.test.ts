/** Bad options of cells and layers throw typed errors that say what was expected and what came. */
import { expect, test } from 'vitest'
import { nested } from '../../test/contract/models.ts'
import { gruCell } from '../cells/gru.ts'
import { lstmCell } from '../cells/lstm.ts'
import { stacked } from '../cells/stacked.ts'
import { RecurraError } from '../tensor/errors.ts'
import { pointer } from './attention.ts'
import { bidirectional } from './bidirectional.ts'
import { convLstm1d, convLstm2d } from './conv-lstm.ts'
import { conv1d } from './conv1d.ts'
import { dense } from './dense.ts'
import { dropout } from './dropout.ts'
import { embedding } from './embedding.ts'
import { flatten } from './flatten.ts'
import { call, type Flow, input, model } from './functional.ts'
import { globalMaxPooling1d } from './global-pooling.ts'
import { highway } from './highway.ts'
import type { Layer } from './layer.ts'
import { layerNorm } from './layer-norm.ts'
import { masking } from './masking.ts'
import { add, average, concatenate, subtract } from './merge.ts'
import { maxPooling1d } from './pooling.ts'
import { elman, gru, jordan, lstm, recurrent } from './recurrent.ts'
import { repeatVector } from './repeat-vector.ts'
import { residual } from './residual.ts'
import { sequential } from './sequential.ts'
import { timeDistributed } from './time-distributed.ts'

/** What TypeScript would not let through. */
const odd = (value: unknown) => value as never
const units = 2
const words = () => embedding({ inputDim: 5, outputDim: 3 })
const tied = (units: number, tiedTo = 'embedding') => dense({ units, tiedTo })
const ofTokens = (...layers: Layer[]) => sequential(layers, { input: { shape: [null], dtype: 'i32' } })
const ofNumbers = (...layers: Layer[]) => sequential(layers, { input: { shape: [null, 2], dtype: 'f32' } })
const ofRows = (...layers: Layer[]) => sequential(layers, { input: { shape: [2], dtype: 'f32' } })
const back = gru({ units, goBackwards: true })
const noise = (noiseShape: (number | null)[]) => ofNumbers(dropout({ rate: 0.5, noiseShape }))
/** A layer over series and what `others` makes of them. */
const over = (layer: Layer, others: (x: Flow) => Flow[], shape: (number | string | null)[] = [null, 2]) => {
  const x = input({ shape })
  return model({ inputs: x, outputs: call(layer, [x, ...others(x)]) })
}
const diagonal = { kind: 'identity', gain: 1 } as const

test.each<[string, () => unknown, code: string, said: string]>([
  ['no options', () => gruCell(odd(undefined)), 'argument', 'gru: expected an object | undefined'],
  ['units', () => gru({ units: 1.5 }), 'argument', 'gru: units | at least 1 | 1.5'],
  ['outputs', () => jordan(odd({ units })), 'argument', 'jordan: outputs | at least 1 | undefined'],
  ['a misspelt option', () => gru(odd({ units, reset: 1 })), 'argument', 'reset; | resetAfter, returnSeq'],
  [
    'another cell’s option',
    () => gruCell(odd({ units, unitForgetBias: true })),
    'argument',
    'gru: there is no',
  ],
  ['a misspelt one of a layer', () => dense(odd({ unit: 1 })), 'argument', 'dense: there is no option unit;'],
  ['a flag', () => lstm({ units, useBias: odd('no') }), 'argument', 'lstm: useBias | true or false | no'],
  ['a layer’s flag', () => gru({ units, returnState: odd(1) }), 'argument', 'gru: returnState | received 1'],
  [
    'filters in groups',
    () => conv1d({ filters: 3, kernelSize: 1, groups: 2 }),
    'argument',
    'conv1d: groups must divide the filters; received 2 and 3',
  ],
  [
    'features in groups',
    () => ofNumbers(conv1d({ filters: 3, kernelSize: 1, groups: 3 })),
    'argument',
    'conv1d: groups must divide the features; received 3 and 2',
  ],
  [
    'an activation that makes something else',
    () => ofNumbers(dense({ units, activation: (x) => x.sum(-1) })),
    'shape',
    'dense, activation: of | it must make f32[ | received f32[',
  ],
  [
    'one of a cell',
    () => ofNumbers(lstm({ units, recurrentActivation: odd(() => 1) })),
    'shape',
    'lstm, activation: of [B, 2] it must make f32[B, 2]; received number',
  ],
  [
    'a pointer that drops',
    () => pointer(odd({ dropout: 0.5 })),
    'argument',
    'pointer: there is no option dropout',
  ],
  ['a gate', () => lstm({ units, recurrentActivation: odd('swish') }), 'argument', 'hardSigmoid | swish'],
  [
    'a state',
    () => elman({ units, initialState: odd('ones') }),
    'argument',
    'elman: initialState | trainable',
  ],
  [
    'an initializer',
    () => dense({ units, kernelInitializer: odd('zeros') }),
    'argument',
    'dense: k | "zeros"',
  ],
  ['a bias', () => ofNumbers(elman({ units, biasInitializer: diagonal })), 'argument', 'identity | [2]'],
  [
    'repeated sequences',
    () => ofNumbers(repeatVector({ n: 2 })),
    'shape',
    'repeatVector: | without time | [T, B, 2]',
  ],
  [
    'a cell for a layer',
    () => timeDistributed(odd(gruCell)),
    'argument',
    'timeDistributed: | a layer | function',
  ],
  [
    'states of steps',
    () => timeDistributed(gru({ units, returnState: true })),
    'argument',
    'timeDistributed: the states of gru end with each step',
  ],
  [
    'no time to distribute',
    () => ofRows(timeDistributed(dense({ units }))),
    'shape',
    '[T, B, …]; received [B, 2] without',
  ],
  [
    'two sequences to distribute over',
    () => over(timeDistributed(dense({ units })), (x) => [x]),
    'shape',
    'timeDistributed: expected one sequence | and 1 more',
  ],
  [
    'no sequence inside',
    () => ofNumbers(timeDistributed(gru({ units }))),
    'shape',
    'gru: expected a sequence | [B·T, 2] without time',
  ],
  ['masked tokens', () => ofTokens(masking()), 'shape', 'masking: expected f32 | i32[T, B]'],
  ['masked rows', () => ofRows(masking()), 'shape', 'masking: expected a sequence | [B, 2] without time'],
  [
    'strides of what is dilated',
    () => conv1d({ filters: 1, kernelSize: 2, strides: 2, dilationRate: 3 }),
    'argument',
    'conv1d: expected strides or a dilationRate above 1; received both, 2 and 3',
  ],
  [
    'filters over rows',
    () => ofRows(conv1d({ filters: 1, kernelSize: 2 })),
    'shape',
    'conv1d: | [B, 2] without time',
  ],
  [
    'windows by the longest row',
    () => ofNumbers(masking(), conv1d({ filters: 1, kernelSize: 2, strides: 2, padding: 'same' })),
    'shape',
    'conv1d: with padding same and strides of 2 | use valid or causal',
  ],
  ['pooled rows', () => ofRows(globalMaxPooling1d()), 'shape', 'globalMaxPooling1d: | [B, 2] without time'],
  [
    'one to add',
    () => ofNumbers(add()),
    'argument',
    'add: expected several inputs, as call(add(), [a, b]) | one',
  ],
  [
    'unlike sizes',
    () => over(add(), (x) => [x.to(dense({ units: 3 }))]),
    'shape',
    'add: | [T, B, 2] and [T, B, 3]',
  ],
  [
    'two inputs where one is read',
    () => over(dense({ units }), (x) => [x]),
    'argument',
    'dense: it reads one input; received 2',
  ],
  [
    'three to subtract',
    () => over(subtract(), (x) => [x, x]),
    'argument',
    'subtract: expected two inputs; received 3',
  ],
  [
    'unlike times',
    () => over(average(), (x) => [x.to(conv1d({ filters: 2, kernelSize: 2 }))]),
    'shape',
    'average: expected sequences of one number of steps; received [T, B, 2] and [T-1, B, 2]',
  ],
  [
    'rows one behind the other',
    () => over(concatenate({ axis: 1 }), (x) => [x]),
    'shape',
    'axis | features; received 1',
  ],
  [
    'unlike sizes beside the axis',
    () => over(concatenate({ axis: 3 }), (x) => [x.to(timeDistributed(maxPooling1d()))], [null, 4, 2]),
    'shape',
    'concatenate: expected inputs that differ in axis 3 alone; received [T, B, 4, 2] and [T, B, 2, 2]',
  ],
  [
    'residual of another size',
    () => ofNumbers(residual(dense({ units: 3 }))),
    'shape',
    'residual: dense must keep the shape of its input, [T, B, 2]; it makes [T, B, 3]',
  ],
  [
    'a highway without its steps',
    () => ofNumbers(highway(gru({ units }))),
    'shape',
    'highway: gru must keep | [B, 2] (does it need returnSequences: true?)',
  ],
  ['a highway around nothing', () => highway(odd({})), 'argument', 'highway: expected a layer | object'],
  ['a name', () => dense({ units, name: odd(3) }), 'argument', 'dense: name must be a text; received 3'],
  ['no epsilon', () => layerNorm({ epsilon: 0 }), 'argument', 'epsilon must be a number above 0; received 0'],
  ['layer norm of tokens', () => ofTokens(layerNorm()), 'shape', 'layerNorm: expected f32 | i32[T, B]'],
  [
    'all dropped',
    () => dropout({ rate: 1 }),
    'argument',
    'dropout: rate must be a number of at least 0 and below 1; received 1',
  ],
  ['a rate below 0', () => dropout({ rate: -0.1 }), 'argument', 'rate | -0.1'],
  ['a rate of NaN', () => dropout({ rate: Number.NaN }), 'argument', 'rate | NaN'],
  ['no rate', () => dropout(odd({ rat: 0.5 })), 'argument', 'dropout: there is no option rat; expected rate'],
  ['half a seed', () => dropout({ rate: 0.5, seed: 0.5 }), 'argument', 'dropout: seed | 0.5'],
  [
    'noise of 0',
    () => dropout({ rate: 0.5, noiseShape: [0] }),
    'argument',
    'noiseShape | [null, 1, 64] | [0]',
  ],
  ['noise of no list', () => dropout({ rate: 0.5, noiseShape: odd('1') }), 'argument', 'noiseShape | "1"'],
  ['noise of another rank', () => noise([null, 1]), 'shape', 'noiseShape for [B, T, 2] | [null,1]'],
  ['noise of another size', () => noise([null, 3, 2]), 'shape', '1, null or its size | [null,3,2]'],
  ['dropout of tokens', () => ofTokens(dropout({ rate: 0.5 })), 'shape', 'dropout: expected f32 | i32[T, B]'],
  ['a cell not called', () => recurrent(odd(gruCell)), 'argument', 'recurrent: | received function (call it'],
  ['cells in no list', () => stacked(odd(lstmCell({ units }))), 'argument', 'in a list; received object'],
  [
    'no options at all',
    () => bidirectional(back, odd(null)),
    'argument',
    'bidirectional: expected an object | null',
  ],
  [
    'a misspelt option of both ways',
    () => bidirectional(back, odd({ merge: 'sum' })),
    'argument',
    'no option merge; | mergeMode',
  ],
  [
    'one input of two',
    () => ofNumbers(recurrent(nested({ units }))),
    'argument',
    'nested: expected its inputs in order, call(recurrent(cell), [video, audio]); received 1',
  ],
  [
    'inputs in another order',
    () => over(recurrent(nested({ units })), (x) => [x.to(dense({ units: 3 }))]),
    'shape',
    'nested: expected video to be a sequence [T, B, size 1, size 2, size 3]; received [T, B, 2]',
  ],
  [
    'two inputs for both ways of one',
    () => over(bidirectional(gru({ units })), (x) => [x]),
    'argument',
    'gru: it reads one input; received 2',
  ],
  [
    'images without time',
    () => ofRows(convLstm2d({ filters: 1, kernelSize: 1 })),
    'shape',
    'convLstm2d: expected a sequence [T, B, size 1, size 2, size 3]; received [B, 2] without time',
  ],
  [
    'images of open sizes',
    () => over(convLstm1d({ filters: 1, kernelSize: 1 }), () => [], [null, 'rows', 2]),
    'shape',
    'convLstm1d: expected a sequence of steps of known sizes; received [T, B, rows, 2]',
  ],
  [
    'an image for a row of features',
    () => over(gru({ units }), () => [], [null, 4, 2]),
    'shape',
    'gru: expected a sequence [T, B, inputs]; received [T, B, 4, 2]',
  ],
  [
    'a row of features under an image',
    () => ofNumbers(recurrent([gruCell({ units }), convLstm1d({ filters: 1, kernelSize: 1 }).cell])),
    'shape',
    'stacked: convLstm1d on gru reads x of 2 axes, besides the batch’s; received [B, 2]',
  ],
  [
    'a state of another shape',
    () => {
      const [x, h] = [input({ shape: [null, 4, 1] }), input({ shape: [4, 1] })]
      const layer = convLstm1d({ filters: 1, kernelSize: 2 })
      return model({ inputs: { x, h }, outputs: call(layer, [x], { initialState: { h } }) })
    },
    'shape',
    'convLstm1d: state h must be f32[B, 3, 1]; received [B, 4, 1] as its initial state',
  ],
  [
    'a flattened sequence',
    () => ofNumbers(flatten()),
    'shape',
    'flatten: expected [B, …] of known sizes; received [T, B, 2] | timeDistributed(flatten())',
  ],
  ['no cells', () => recurrent([]), 'argument', 'stacked: expected at least one cell'],
  [
    'a layer for a cell',
    () => stacked([lstmCell({ units }), odd(back)]),
    'argument',
    'a cell; received object',
  ],
  [
    'one way',
    () => bidirectional(back, { backwardLayer: back }),
    'argument',
    'opposite | goBackwards: true twice',
  ],
  [
    'unlike results',
    () => bidirectional(gru({ units, returnSequences: true }), { backwardLayer: back }),
    'argument',
    'one returnSequences | true and false',
  ],
  [
    'unlike widths',
    () => ofNumbers(bidirectional(gru({ units: 3 }), { backwardLayer: back, mergeMode: 'sum' })),
    'shape',
    'sum needs outputs of one shape; received [B, 3] and [B, 2]',
  ],
  [
    'a merge',
    () => bidirectional(back, { mergeMode: odd('max') }),
    'argument',
    'concat, sum, mul, ave | max',
  ],
  ['no recurrence', () => bidirectional(odd(words())), 'argument', 'recurrent layer; received embedding'],
  [
    'tied to nothing',
    () => ofTokens(words(), tied(5, 'a')),
    'argument',
    'parameter a/E; there are embedding/E',
  ],
  ['tied to what follows', () => ofNumbers(tied(5)), 'argument', 'no layer before it | there are none'],
  ['tied to another size', () => ofTokens(words(), tied(4)), 'shape', '[4, 3] | embedding/E [5, 3]'],
  [
    'tied, with a beginning of its own',
    () => dense({ units, tiedTo: 'a', kernelInitializer: diagonal }),
    'argument',
    'kernelInitializer or tiedTo',
  ],
])('%s', (_, act, code, said) => {
  let error: unknown
  try {
    act()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(RecurraError)
  for (const part of said.split(' | ')) {
    expect(error).toMatchObject({ code, message: expect.stringContaining(part) })
  }
})
