// LLaMA-Omni's speech generator: the language model's final states are repeated and run through a
// small decoder whose outputs are read as connectionist temporal classification of speech units.

import JSON
import Tensor

extension Site.Stage {
  static let generator = Site.Stage(rawValue: "gen")
}

/// Sizes of a speech generator.
public struct SpeechGeneratorConfig: Sendable, Equatable {
  let decoder: DecoderConfig
  /// Slots that each token of the answer is spoken in.
  let upsampling: Int
  /// Units; the class behind the last is the blank.
  let units: Int

  init(_ json: JSON, beside lm: DecoderConfig) throws {
    try json.requires("speech_generator_type", "ctc")
    // "(layers, width, heads, mlp)", as the published file writes it.
    let text = json["ctc_decoder_config"]?.string ?? "(2,4096,32,11008)"
    let sizes = text.split { "(), ".contains($0) }.map { Int($0) ?? 0 }
    guard sizes.count == 4, sizes.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }), sizes[0] <= 1024,
      sizes[1] % (2 * sizes[2]) == 0
    else {
      throw JSONError(
        "\"ctc_decoder_config\" is \(quoted(text)); it should be \"(layers,width,heads,mlp)\" with heads "
          + "of even width")
    }
    var decoder = lm
    (decoder.layers, decoder.width, decoder.heads) = (sizes[0], sizes[1], sizes[2])
    (decoder.keyHeads, decoder.mlp, decoder.givenHeadWidth) = (sizes[2], sizes[3], nil)
    self.decoder = decoder
    upsampling = try json.size("ctc_upsample_factor", usual: 25, upTo: 1 << 16)
    units = try json.size("unit_vocab_size", usual: 1000, upTo: 1 << 24)
  }

  func parameterShapes(inputs: Int) -> [String: [Int]] {
    let prefix = SpeechGenerator.prefix
    var shapes = decoder.parameterShapes(prefix, head: prefix + "output_proj.weight")
    shapes[prefix + "embed_tokens.weight"] = nil
    shapes[prefix + "norm.weight"] = nil
    shapes[prefix + "input_proj.weight"] = [decoder.width, inputs]
    shapes[prefix + "input_proj.bias"] = [decoder.width]
    shapes[prefix + "output_proj.weight"] = [units + 1, decoder.width]
    shapes[prefix + "output_proj.bias"] = [units + 1]
    return shapes
  }
}

/// A speech generator.
public struct SpeechGenerator: Sendable {
  static let prefix = "speech_generator."

  let config: SpeechGeneratorConfig
  private let input: Linear
  private let blocks: [DecoderBlock]
  private let output: Linear
  private let rotaryTable: RotaryTable

  init(_ config: SpeechGeneratorConfig, _ p: Weights) {
    self.config = config
    input = p.linear(Self.prefix + "input_proj")
    blocks = (0..<config.decoder.layers).map { i in
      DecoderBlock(config.decoder, p, Self.prefix + "layers.\(i).")
    }
    output = p.linear(Self.prefix + "output_proj")
    rotaryTable = RotaryTable(config.decoder)
  }

  /// The slots in which an answer of so many tokens is spoken.
  func layout(tokens: [Int]) -> Layout {
    Layout(
      counts: tokens.map { $0 * config.upsampling },
      visible: tokens.map { _ in .causal })
  }

  /// What enters the first layer.
  ///
  /// - Parameters:
  ///   - states: the language model's final states of the spoken positions, run below run
  ///   - layout: slots of each run
  func embedded(_ states: Tensor, _ layout: Layout, tap: Tap?) -> Tensor {
    var firsts: [Int] = []
    var first = 0
    for sequence in layout.sequences {
      firsts.append(first)
      first += sequence.count / config.upsampling
    }
    let slots = layout.stacked { s, t in firsts[s] + t / config.upsampling }
    let x = input(gatherRows(states, slots))
    return tap?(Site(.generator, .embed), x) ?? x
  }

  var layers: Int { blocks.count }

  /// One layer.
  func layer(_ index: Int, _ x: Tensor, _ layout: Layout, prefix: KeyValueCache?, tap: Tap?)
    -> Tensor
  {
    let positions = layout.stacked(padding: 0) { _, t in t }
    return blocks[index](
      x, at: .generator, layer: index,
      span: DecoderSpan(rows: layout, positions: positions, prefix: prefix),
      rotaryTable: rotaryTable.covering(positions), tap: tap)
  }

  /// Unit ids of a run, repeats collapsed and blanks dropped.
  func units(_ x: Tensor, _ sequence: SequenceRows, tap: Tap?) -> [Int] {
    var logits = output(x)
    logits = tap?(Site(.generator, .logits), logits) ?? logits
    var units: [Int] = []
    var last = config.units
    for row in sequence.range {
      let best = logits.largest(inRow: row)
      if best != last && best != config.units { units.append(best) }
      last = best
    }
    return units
  }

  var sites: [Site] {
    [Site(.generator, .embed)]
      + blocks.indices.flatMap { i in DecoderBlock.activations.map { Site(.generator, i, $0) } }
      + [Site(.generator, .logits)]
  }

  func place(of site: Site, in layout: Layout, _ copy: Copy) -> Place {
    site.place(in: layout, heads: config.decoder.heads, keyHeads: config.decoder.heads, copy) { _ in
      nil
    }
  }
}

extension Tensor {
  /// The column of the largest number of a row; the first of equals.
  public func largest(inRow row: Int) -> Int {
    withNumbers { numbers in
      var best = row * width
      for i in row * width..<(row + 1) * width where numbers[i] > numbers[best] { best = i }
      return best - row * width
    }
  }
}
