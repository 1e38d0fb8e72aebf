// The weights of the planted model: random ones, over which two attention heads and what they need
// to know are written.
//
// Everything is written along axes of the residual stream, which are then turned at random: the
// model's own axes say nothing of the plant. Which window an audio token belongs to is told by the
// encoder's table of positions. A head that has nothing to do attends to the first token.

import Speech
import Tensor

/// The parameters of a planted model, before and after turning.
struct PlantedWeights {
  let parameters: Parameters
  /// An orthonormal basis of the subspace that the content is written to, [width, rank].
  let written: DoubleMatrix

  static let config: Qwen2AudioConfig = {
    var config = Qwen2AudioConfig()
    config.melBands = 12
    config.encoderWidth = 24
    config.encoderLayers = 2
    config.encoderHeads = 3
    config.encoderMLP = 24
    config.maxSourcePositions = 50
    config.vocabulary = 32
    config.width = 48
    config.layers = 6
    config.heads = 4
    config.keyHeads = 4
    config.mlp = 48
    config.maxPositions = 64
    // So slow that the last three of a head's six pairs hardly turn within a prompt.
    config.theta = 1e8
    config.audioToken = 2
    return config
  }()

  private static let (first, query) = (1, 9)

  /// The first token, the sound, and a question whose last token reads the answer.
  static let tokens: [Int] =
    [first]
    + [Int](
      repeating: config.audioToken,
      count: config.sound.audioTokens(melFrames: PlantedModel.frames))
    + [10, 11, query]

  /// The token that answers with a content.
  static func answer(_ content: Int) -> Int { 3 + content }

  /// Axes of the residual stream before it is turned, and how many of them are spoken for.
  private enum Axis {
    static let heard = 0
    static let written = 5
    static let read = 9
    static let (carries, holds, other, first, query) = (13, 14, 15, 16, 17)
  }

  init(_ plant: Plant) {
    let config = PlantedWeights.config
    let random = Random(seed: plant.seed).split("planted weights")
    let turn = DoubleMatrix(rows: config.width, columns: config.width, normal: random.split("turn"))
      .orthonormalised()
    let simplex = Self.simplex(plant.rank)
    var editor = WeightEditor(config.randomParameters(random.split("background")), turn)
    editor.quieten(by: 0.5)
    Self.hear(&editor, contents: plant.rank + 1, window: plant.window, random)
    editor.write("language_model.model.embed_tokens.weight", row: Self.first, axis: Axis.first, 4)
    editor.write("language_model.model.embed_tokens.weight", row: Self.query, axis: Axis.query, 4)

    // The writing head: the planted window gathers what the windows before it have heard.
    editor.head(
      plant.layer, asks: Axis.holds, of: Axis.carries, otherwise: Axis.first,
      reads: plant.kind == .bottleneck ? simplex : nil, from: Axis.heard, to: Axis.written)
    // The reading head: the answer's position gathers what the planted window holds.
    if plant.kind == .diffuse {
      editor.head(
        plant.layer + 1, asks: Axis.query, of: Axis.carries, otherwise: Axis.first, reads: simplex,
        from: Axis.heard, to: Axis.read)
    } else {
      let copy = DoubleMatrix(rows: plant.rank, columns: plant.rank, identity: plant.rank)
      editor.head(
        plant.layer + 1, asks: Axis.query, of: Axis.holds, otherwise: Axis.first, reads: copy,
        from: Axis.written, to: Axis.read)
    }
    for content in 0...plant.rank {
      for k in 0..<plant.rank {
        editor.write(
          "language_model.lm_head.weight", row: Self.answer(content), axis: Axis.read + k,
          0.7 * simplex[k, content])
      }
    }
    parameters = editor.parameters
    written = turn.columns(Axis.written..<(Axis.written + plant.rank))
  }

  /// From log-mel bands to axes of the language model: what is heard, and where.
  private static func hear(
    _ editor: inout WeightEditor, contents: Int, window: Int, _ random: Random
  ) {
    // Channels of the encoder: one a content, then where the token lies.
    let place = 5
    editor.edit("audio_tower.conv1.weight") { numbers in
      for channel in 0..<place + 3 {
        for i in 0..<36 { numbers[channel * 36 + i] = 0 }
        if channel < contents { numbers[channel * 36 + channel * 3 + 1] = 3 }
      }
    }
    editor.edit("audio_tower.conv2.weight") { numbers in
      for channel in 0..<place + 3 {
        for i in 0..<72 { numbers[channel * 72 + i] = 0 }
        if channel < contents { numbers[channel * 72 + channel * 3 + 1] = 1 }
      }
    }
    let each = PlantedModel.frames / 2 / PlantedModel.windowCount
    editor.edit("audio_tower.embed_positions.weight") { numbers in
      for position in 0..<config.maxSourcePositions {
        for channel in 0..<place + 3 { numbers[position * 24 + channel] = 0 }
        let own = position / each
        numbers[position * 24 + place + (own < window ? 0 : own == window ? 1 : 2)] = 3
      }
    }
    var projection = DoubleMatrix(
      rows: config.width, columns: config.encoderWidth, normal: random.split("projection"))
    projection.numbers = projection.numbers.map { 0.1 * $0 }
    for channel in 0..<place + 3 {
      for axis in 0..<config.width { projection[axis, channel] = 0 }
    }
    for content in 0..<contents { projection[Axis.heard + content, content] = 0.5 }
    for flag in 0..<3 { projection[Axis.carries + flag, place + flag] = 1 }
    editor.replace("multi_modal_projector.linear.weight", writing: projection)
  }

  /// Unit vectors of equal angles as columns, [rank, rank + 1].
  private static func simplex(_ rank: Int) -> DoubleMatrix {
    // The unit vectors about their mean, in a basis of what they span.
    var about = DoubleMatrix(rows: rank + 1, columns: rank + 1, identity: rank + 1)
    about.numbers = about.numbers.map { $0 - 1 / Double(rank + 1) }
    let basis = about.columns(0..<rank).orthonormalised()
    var vertices = basis.transposed * about
    let length = (Double(rank) / Double(rank + 1)).squareRoot()
    vertices.numbers = vertices.numbers.map { $0 / length }
    return vertices
  }
}
