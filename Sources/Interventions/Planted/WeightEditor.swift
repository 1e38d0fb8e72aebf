// Writing single rows, columns and heads of a model's weights along axes of its residual stream that
// are turned: x' = Q x, so that a matrix that reads the stream is multiplied by Q^T from the right and
// one that writes to it by Q from the left. RMSNorm with unit weights does not see the turn.

import Speech
import Tensor

/// The parameters of a planted model while they are made.
struct WeightEditor {
  private(set) var parameters: Parameters
  private let turn: DoubleMatrix

  init(_ parameters: Parameters, _ turn: DoubleMatrix) {
    self.parameters = parameters
    self.turn = turn
  }

  private static let lm = "language_model.model.layers."

  /// Scales down all that the layers write at random.
  mutating func quieten(by factor: Float) {
    for (name, tensor) in parameters
    where ["out_proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight"]
      .contains(where: { name.hasSuffix($0) })
    {
      parameters[name] = (tensor * factor).detached
    }
  }

  /// Changes the numbers of a parameter in place.
  mutating func edit(_ name: String, _ body: (inout [Float]) -> Void) {
    guard let old = parameters[name] else { preconditionFailure("no parameter \(name)") }
    var numbers = old.numbers
    body(&numbers)
    parameters[name] = Tensor(old.shape, numbers)
  }

  /// A matrix that writes to the residual stream, [width, in] on the axes before the turn.
  mutating func replace(_ name: String, writing matrix: DoubleMatrix) {
    let turned = (turn * matrix).numbers.map { Float($0) }
    edit(name) { $0 = turned }
  }

  /// Adds a multiple of an axis to a row of a matrix whose columns are the residual stream's: an
  /// embedding, or what the head reads.
  mutating func write(_ name: String, row: Int, axis: Int, _ value: Double) {
    let direction = turn.columns(axis..<(axis + 1)).numbers.map { Float(value * $0) }
    edit(name) { numbers in
      for (i, part) in direction.enumerated() { numbers[row * direction.count + i] += part }
    }
  }

  /// Takes the first head of a layer: positions along the axis `asks` attend evenly to those along
  /// `of`, all others to those along `otherwise`, and `reads` of the axes from `from` on is written to
  /// the axes from `to` on; nil writes nothing.
  mutating func head(
    _ layer: Int, asks: Int, of asked: Int, otherwise idle: Int, reads: DoubleMatrix?,
    from: Int, to: Int
  ) {
    let name = WeightEditor.lm + "\(layer).self_attn."
    let config = PlantedWeights.config
    let (width, headWidth) = (config.width, config.width / config.heads)
    // The slowest two pairs of rotary coordinates; see `PlantedWeights.config`.
    let (work, rest) = (headWidth / 2 - 2, headWidth / 2 - 1)
    let sharpness = 1.6
    for projection in ["q", "k", "v"] {
      edit(name + "\(projection)_proj.weight") { numbers in
        for i in 0..<(headWidth * width) { numbers[i] = 0 }
      }
    }
    write(name + "q_proj.weight", row: work, axis: asks, sharpness)
    write(name + "k_proj.weight", row: work, axis: asked, sharpness)
    write(name + "k_proj.weight", row: rest, axis: idle, sharpness)
    edit(name + "q_proj.bias") { $0[rest] = 5 }

    var output = DoubleMatrix(rows: width, columns: headWidth)
    if let reads {
      for k in 0..<reads.rows {
        for c in 0..<reads.columns {
          write(name + "v_proj.weight", row: k, axis: from + c, reads[k, c])
        }
        output[to + k, k] = 1
      }
    }
    let turned = turn * output
    edit(name + "o_proj.weight") { numbers in
      for i in 0..<width {
        for k in 0..<headWidth { numbers[i * width + k] = Float(turned[i, k]) }
      }
    }
  }
}

extension DoubleMatrix {
  init(rows: Int, columns: Int, identity count: Int) {
    self.init(rows: rows, columns: columns)
    for i in 0..<count { self[i, i] = 1 }
  }
}
