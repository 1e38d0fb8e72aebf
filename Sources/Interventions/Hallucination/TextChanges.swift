// A recording heard as it is, and with each change of the activations that carry that there is speech
// (`paper/definitions.md`, D135, D136 and D175).

import Speech
import Tensor

/// What is needed to change one recogniser: directions, estimated on discovery, and heads.
public struct TextChanges: Sendable {
  public let axis: SpeechAxis
  public let mel: SpeechAxis
  /// Directions as long as the axis that are drawn.
  public let drawn: [SpeechAxis]
  /// More of them, of which only the place of a recording is read.
  public let crowd: [SpeechAxis]
  /// Heads of cross-attention, the strongest first, and what they gather from sounds on average.
  public let heads: [CrossHead]
  public let gathered: GatheredMeans

  /// - Parameters:
  ///   - means: of recordings, and whether somebody speaks in each
  ///   - gathered: from sounds that are not speech
  ///   - draws: of directions, and of those of which only the place is read
  public init(
    _ means: [(heard: HeardMeans, isSpeech: Bool)], heads: [CrossHead],
    gathered: [GatheredMeans], draws: Int, crowd: Int, _ random: Random
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
    self.crowd = try (0..<crowd).map { try axis.drawn(random.split("crowd").split($0)) }
    self.heads = heads
    self.gathered = try GatheredMeans(over: gathered)
  }
}

/// One recording, heard once as it is and once with each change.
public struct HeardText: Codable, Sendable {
  public let plain: Hearing
  /// Where it lies on the axis, on that of the log-mel, and along directions that are drawn.
  public let axis: Double
  public let mel: Double
  public let drawn: [Double]
  public let crowd: [Double]
  /// Whether a move by nothing, made like any other, leaves everything as it is.
  public let isInert: Bool
  /// By arm, strength and draw.
  private let changed: [String: Hearing]

  init(
    plain: Hearing, axis: Double, mel: Double, drawn: [Double], crowd: [Double], isInert: Bool,
    changed: [String: Hearing]
  ) {
    (self.plain, self.axis, self.mel, self.drawn) = (plain, axis, mel, drawn)
    (self.crowd, self.isInert, self.changed) = (crowd, isInert, changed)
  }

  static func key(_ arm: TextArm, _ strength: Double, _ draw: Int) -> String {
    "\(arm.rawValue) \(strength) \(draw)"
  }

  /// With the change of an arm.
  func with(_ arm: TextArm, _ strength: Double, draw: Int) -> Hearing {
    changed[HeardText.key(arm, strength, draw)]!
  }
}

extension Recogniser {
  /// Hears a recording as it is, and with the changes of every arm that makes some.
  ///
  /// - Parameters:
  ///   - strengths: of each arm; of those that it does not name none
  ///   - limit: the most tokens of a transcript
  ///   - random: of the heads that are drawn
  public func hear(
    _ recording: Recording, _ changes: TextChanges, strengths: [TextArm: [Double]], limit: Int,
    _ random: Random
  ) throws -> HeardText {
    let clip = try model.clip(recording.wave())
    let listened = try listened(to: clip)
    let means = HeardMeans(of: clip, listened)
    let position = changes.axis.position(of: means.stream)
    let last = Site(.encoder, model.config.encoder.layers - 1, .residPost)
    let width = model.config.encoder.width / model.config.heads

    func move(_ axis: SpeechAxis, _ strength: Double) -> SpeakingTap {
      listened.adding(axis.move(by: strength, from: position), to: clip, at: last)
    }
    func replace(_ axis: SpeechAxis) -> SpeakingTap {
      listened.replacing(along: axis, isSpeech: position >= 0.5, to: clip, at: last)
    }
    func strongest(_ count: Double) -> [CrossHead] { Array(changes.heads.prefix(Int(count))) }
    func drawn(_ count: Double, _ draw: Int) -> [CrossHead] {
      var stream = random.split("heads").split(draw)
      return stream.permutation(changes.heads.count).prefix(Int(count)).map { changes.heads[$0] }
    }
    func change(_ arm: TextArm, _ strength: Double, _ draw: Int) -> SpeakingTap? {
      switch arm {
      case .all, .own, .read, .noSpeech, .gate, .drawnGate, .melGate: nil
      case .move: move(changes.axis, strength)
      case .drawnMove: move(changes.drawn[draw], strength)
      case .mean: replace(changes.axis)
      case .drawnMean: replace(changes.drawn[draw])
      case .prune: pruning(strongest(strength), width: width)
      case .drawnPrune: pruning(drawn(strength, draw), width: width)
      case .headMean: changes.gathered.replacing(strongest(strength), width: width)
      case .drawnHeadMean: changes.gathered.replacing(drawn(strength, draw), width: width)
      }
    }

    var changed: [String: Hearing] = [:]
    for (arm, strengths) in strengths {
      for strength in strengths {
        for draw in 0..<(arm.isDrawn ? changes.drawn.count : 1) {
          guard let change = change(arm, strength, draw) else { continue }
          changed[HeardText.key(arm, strength, draw)] = try hearing(
            of: listened, limit: limit, changing: change)
        }
      }
    }
    let plain = try hearing(of: listened, limit: limit)
    return HeardText(
      plain: plain, axis: position, mel: changes.mel.position(of: means.mel),
      drawn: changes.drawn.map { $0.position(of: means.stream) },
      crowd: changes.crowd.map { $0.position(of: means.stream) },
      isInert: try hearing(of: listened, limit: limit, changing: move(changes.axis, 0)) == plain,
      changed: changed)
  }
}
