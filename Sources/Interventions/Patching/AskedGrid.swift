// Sites and windows of the map of a speech language model that is asked in natural language: the
// encoder, what the projector gives, and the language model's residual stream, by time and by what the
// text positions are for.

import Corpus
import Speech

/// Sites and windows of the map, the same for all pairs.
public struct AskedGrid: Sendable {
  /// The residual stream of the encoder: its input, behind its middle and behind its last layer.
  public let encoder: [Site]
  /// What the projector gives the language model.
  public let joint = Site(.connector, .out)
  /// The residual stream behind every third layer of the language model, the last among them.
  public let lm: [Site]
  /// Layers and heads of the language model.
  public let layers: Int
  public let heads: Int

  /// A site behind every so many layers.
  public static let every = 3
  /// How long the window behind the changed span is, in milliseconds.
  public static let next = 120.0

  public init(_ model: AudioLanguageModel) {
    let encoders = model.encoder.config.layers
    (layers, heads) = (model.lm.config.layers, model.lm.config.heads)
    encoder = [
      Site(.encoder, .embed), Site(.encoder, (encoders - 1) / 2, .residPost),
      Site(.encoder, encoders - 1, .residPost),
    ]
    lm = stride(from: layers - 1, through: 0, by: -Self.every).reversed()
      .map { Site(.lm, $0, .residPost) }
  }

  public var sites: [Site] { encoder + [joint] + lm }

  /// The sites at which everything is patched: all before the language model, and every second of its.
  public var cuts: [Site] {
    encoder + [joint] + lm.indices.filter { ($0 + lm.count) % 2 == 1 }.map { lm[$0] }
  }

  /// Places among `sites` of what enters the language model and of its residual stream, and how many of
  /// its layers lie below each.
  public var passage: Range<Int> { encoder.count..<sites.count }
  public var depths: [Double] { [0] + lm.map { Double($0.layer! + 1) } }

  /// Windows of sound, and what a table calls all of them. The moment is the changed span with what
  /// comes next; the others do not overlap.
  public static let times = ["before", "changed", "next", "behind", "moment"]
  public static let names = times + ["system", "question", "last"]
  public static let (changed, following, moment) = (1, 2, 4)
  /// The position that says the answer.
  public static var last: Int { names.count - 1 }
  /// Windows that share no position, in the order of the prompt: the system's turn comes before the
  /// sound, and is drawn with the other text.
  public static var apart: [Int] { names.indices.filter { $0 != moment } }

  /// Everything before the changed span, the span (a phone, or a digit of a string), 120 ms behind it,
  /// the rest of the sound, and the span together with those 120 ms; nil where a pair has no such
  /// stretch, or nobody knows its boundaries.
  ///
  /// - Parameter end: where the sound ends, in milliseconds
  public static func times(_ pair: MinimalPair, end: Double) -> [Window?] {
    func window(_ from: Double, _ to: Double) -> Window? {
      from < to ? .milliseconds(from, to) : nil
    }
    guard pair.alignment == .identity else { return times.map { _ in nil } }
    let span = pair.clean.phones[pair.changedPhone]
    let next = min(span.end + Self.next, end)
    return [
      window(-1000, span.start), window(span.start, min(span.end, end)), window(span.end, next),
      window(next, 1e6), window(span.start, next),
    ]
  }

  /// The windows of sound, and of text what comes before the sound, what is asked behind it, and the
  /// last position.
  ///
  /// - Parameter before: positions of text before the sound
  public static func windows(_ pair: MinimalPair, end: Double, before: Int) -> [Window?] {
    times(pair, end: end) + [.text(0, before), .text(before, -1), .text(-1, nil)]
  }
}
