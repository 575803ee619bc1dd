/** Recurrent layers over places. */
import {
  CONV_LSTM1D,
  CONV_LSTM2D,
  type ConvLstm1dOptions,
  type ConvLstm2dOptions,
  convLstm1dCell,
  convLstm2dCell,
} from '../cells/conv-lstm.ts'
import { layerOf, type Recurrent, type RecurrentOptions } from './recurrent.ts'

/** Keras's ConvLSTM1D, over [T, B, rows, I]; the equations stand at {@link convLstm1dCell}. */
export function convLstm1d(options: ConvLstm1dOptions & RecurrentOptions): Recurrent {
  return layerOf('convLstm1d', convLstm1dCell, CONV_LSTM1D, options)
}

/** Keras's ConvLSTM2D, over [T, B, rows, columns, I]; the equations stand at {@link convLstm1dCell}. */
export function convLstm2d(options: ConvLstm2dOptions & RecurrentOptions): Recurrent {
  return layerOf('convLstm2d', convLstm2dCell, CONV_LSTM2D, options)
}
