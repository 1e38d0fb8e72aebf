// The planted model's language model with everything frozen that is not linear: attention patterns,
// the scales of norms, and of the gated product half of each factor, with the gate's secant in place
// of its slope (RelP; `paper/definitions.md`, D38). A move of the residual stream is carried
// forwards through the weights, in Double, by nothing that the reverse pass is made of.

import Interventions
import Speech
import Tensor

/// The frozen layers of one base run.
struct LinearisedDecoder {
  private let layers: [Layer]
  private let tokens: Int
  /// From the residual stream behind the last layer to the logit difference, at the last position.
  private let reader: [Double]

  /// What a layer does to a move.
  fileprivate struct Layer {
    /// 1 / rms of the base run's stream at both norms, by position.
    let attentionScale: [Double]
    let mlpScale: [Double]
    /// [heads, queries, keys].
    let pattern: Tensor
    let value: DoubleMatrix
    let output: DoubleMatrix
    let gate: DoubleMatrix
    let up: DoubleMatrix
    let down: DoubleMatrix
    /// What half of the product passes of a move of its gate, and of the other factor.
    let gateFactor: DoubleMatrix
    let upFactor: DoubleMatrix
    let heads: Int
  }

  init(_ planted: PlantedModel, _ base: Trace) throws {
    let config = planted.model.lm.config
    func weight(_ name: String) -> DoubleMatrix {
      DoubleMatrix(planted.parameters["language_model." + name]!)
    }
    func scales(_ site: Site) throws -> [Double] {
      let x = try base.activation(of: site)
      return (0..<x.rows).map { row in
        let squares = (0..<x.width).reduce(0.0) { $0 + Double(x[row, $1]) * Double(x[row, $1]) }
        return 1 / (squares / Double(x.width) + config.epsilon).squareRoot()
      }
    }
    layers = try (0..<config.layers).map { i in
      let name = "model.layers.\(i)."
      var (gate, up) = (
        DoubleMatrix(try base.activation(of: Site(.lm, i, .mlpGate))),
        DoubleMatrix(try base.activation(of: Site(.lm, i, .mlpPre)))
      )
      // silu(g) u with silu(g) = g / (1 + e^-g): by half for u, and by half of the secant for g.
      for n in gate.numbers.indices {
        let (g, u) = (gate.numbers[n], up.numbers[n])
        let open = 1 / (1 + Elementary.exp(-g))
        gate.numbers[n] = open * u / 2
        up.numbers[n] = open * g / 2
      }
      return Layer(
        attentionScale: try scales(Site(.lm, i, .residPre)),
        mlpScale: try scales(Site(.lm, i, .residMid)),
        pattern: try base.activation(of: Site(.lm, i, .pattern)),
        value: weight(name + "self_attn.v_proj.weight"),
        output: weight(name + "self_attn.o_proj.weight"),
        gate: weight(name + "mlp.gate_proj.weight"), up: weight(name + "mlp.up_proj.weight"),
        down: weight(name + "mlp.down_proj.weight"), gateFactor: gate, upFactor: up,
        heads: config.heads)
    }
    let last = Site(.lm, config.layers - 1, .residPost)
    tokens = try base.activation(of: last).rows
    let scale = try scales(last)[tokens - 1]
    let head = weight("lm_head.weight")
    let question = base.question
    reader = zip(head.row(question.answer), head.row(question.foil)).map { scale * ($0 - $1) }
  }

  /// The change of the logit difference when positions of the residual stream behind a layer move.
  ///
  /// - Parameter move: [positions, width]
  func effect(of move: DoubleMatrix, at positions: [Int], behind layer: Int) -> Double {
    var x = DoubleMatrix(rows: tokens, columns: move.columns)
    for (row, position) in positions.enumerated() {
      for c in 0..<move.columns { x[position, c] = move[row, c] }
    }
    for i in (layer + 1)..<max(layer + 1, layers.count) { x = layers[i].passes(x) }
    return zip(x.row(tokens - 1), reader).reduce(0) { $0 + $1.0 * $1.1 }
  }
}

extension LinearisedDecoder.Layer {
  /// The move behind the layer.
  func passes(_ x: DoubleMatrix) -> DoubleMatrix {
    let values = x.scalingEveryRow(attentionScale).timesTransposed(value)
    var gathered = DoubleMatrix(rows: x.rows, columns: values.columns)
    let width = values.columns / heads
    for head in 0..<heads {
      for query in 0..<x.rows {
        for key in 0...query {
          let p = Double(pattern[(head * x.rows + query) * x.rows + key])
          for c in (head * width)..<((head + 1) * width) {
            gathered[query, c] += p * values[key, c]
          }
        }
      }
    }
    let middle = x + gathered.timesTransposed(output)
    let normed = middle.scalingEveryRow(mlpScale)
    var product = normed.timesTransposed(gate)
    let other = normed.timesTransposed(up)
    for n in product.numbers.indices {
      product.numbers[n] =
        product.numbers[n] * gateFactor.numbers[n] + other.numbers[n] * upFactor.numbers[n]
    }
    return middle + product.timesTransposed(down)
  }
}

extension DoubleMatrix {
  /// Every row times a factor of its own.
  fileprivate func scalingEveryRow(_ factors: [Double]) -> DoubleMatrix {
    var out = self
    for r in 0..<rows { for c in 0..<columns { out[r, c] *= factors[r] } }
    return out
  }
}
