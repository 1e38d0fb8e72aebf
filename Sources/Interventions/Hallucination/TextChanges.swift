// A recording heard as it is, and with each change of the activations that carry that there is speech
// (`paper/definitions.md`, D135 and D136).

import Speech
import Tensor

/// What is needed to change one recogniser: directions, estimated on discovery, and heads.
public struct TextChanges: Sendable {
  public let axis: SpeechAxis
  public let mel: SpeechAxis
  /// Directions as long as the axis that are drawn.
  public let drawn: [SpeechAxis]
  /// Heads of cross-attention, the strongest first.
  public let heads: [CrossHead]

  /// - Parameters:
  ///   - means: of recordings, and whether somebody speaks in each
  ///   - draws: of directions
  public init(
    _ means: [(heard: HeardMeans, isSpeech: Bool)], heads: [CrossHead], draws: Int,
    _ random: Random
  ) throws {
    func of(_ part: (HeardMeans) -> [Double]) throws -> SpeechAxis {
      try SpeechAxis(
        sounds: means.filter { !$0.isSpeech }.map { part($0.heard) },
        speech: means.filter(\.isSpeech).map { part($0.heard) })
    }
    let axis = try of(\.stream)
    self.axis = axis
    mel = try of(\.mel)
    drawn = try (0..<draws).map { try axis.drawn(random.split("direction").split($0)) }
    self.heads = heads
  }
}

/// What is done to activations; of the drawn kinds each draw by itself.
public enum TextChange: String, Sendable {
  case move
  case drawnMove = "drawn move"
  case prune
  case drawnPrune = "drawn prune"

  func name(_ strength: Double, _ draw: Int? = nil) -> String {
    "\(rawValue) \(strength)" + (draw.map { " \($0)" } ?? "")
  }
}

/// One recording, heard once as it is and once with each change.
public struct HeardText: Codable, Sendable {
  public let plain: Hearing
  /// Where it lies on the axis, on that of the log-mel, and along directions that are drawn.
  public let axis: Double
  public let mel: Double
  public let drawn: [Double]
  /// Whether a move by nothing, made like any other, leaves everything as it is.
  public let isInert: Bool
  let changed: [String: Hearing]

  /// With a change.
  func with(_ change: TextChange, _ strength: Double, draw: Int? = nil) -> Hearing {
    changed[change.name(strength, draw)]!
  }
}

extension Recogniser {
  /// Hears a recording with every change.
  ///
  /// - Parameters:
  ///   - moves: how far it is moved along the axis
  ///   - heads: how many heads are pruned
  ///   - limit: the most tokens of a transcript
  ///   - random: of the heads that are drawn
  public func hear(
    _ recording: Recording, _ changes: TextChanges, moves: [Double], heads: [Int], limit: Int,
    _ random: Random
  ) throws -> HeardText {
    let clip = try model.clip(recording.wave())
    let listened = try listened(to: clip)
    let means = HeardMeans(of: clip, listened)
    let position = changes.axis.position(of: means.stream)
    let last = Site(.encoder, model.config.encoder.layers - 1, .residPost)
    let width = model.config.encoder.width / model.config.heads
    var changed: [String: Hearing] = [:]
    func hear(_ name: String, _ tap: SpeakingTap) throws {
      changed[name] = try hearing(of: listened, limit: limit, changing: tap)
    }
    func move(_ name: String, _ axis: SpeechAxis, _ strength: Double) throws {
      try hear(
        name, listened.adding(axis.move(by: strength, from: position), to: clip, at: last))
    }
    for strength in moves {
      try move(TextChange.move.name(strength), changes.axis, strength)
      for (draw, axis) in changes.drawn.enumerated() {
        try move(TextChange.drawnMove.name(strength, draw), axis, strength)
      }
    }
    for count in heads {
      let strength = Double(count)
      try hear(
        TextChange.prune.name(strength),
        pruning(Array(changes.heads.prefix(count)), width: width))
      for draw in changes.drawn.indices {
        var stream = random.split("heads").split(draw)
        let order = stream.permutation(changes.heads.count)
        try hear(
          TextChange.drawnPrune.name(strength, draw),
          pruning(order.prefix(count).map { changes.heads[$0] }, width: width))
      }
    }
    let plain = try hearing(of: listened, limit: limit)
    let still = listened.adding(changes.axis.move(by: 0, from: position), to: clip, at: last)
    return HeardText(
      plain: plain, axis: position,
      mel: changes.mel.position(of: means.mel),
      drawn: changes.drawn.map { $0.position(of: means.stream) },
      isInert: try hearing(of: listened, limit: limit, changing: still) == plain, changed: changed)
  }
}
