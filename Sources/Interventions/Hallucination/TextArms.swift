// Whether a text is left, where nobody speaks and where somebody does: rates, what they cost, and the
// strength that is chosen (`paper/definitions.md`, D137 and D175).

import Speech
import Tensor

/// What is left of one recording's text under an intervention; means over draws where it is drawn.
public struct TextLeft: Sendable {
  /// 1 where words are left.
  public let words: Double
  /// Word errors of what is left, an empty text having all words missing.
  public let errors: Double

  public init(words: Double, errors: Double) { (self.words, self.errors) = (words, errors) }

  /// - Parameters:
  ///   - kept: whether the text is left at all
  ///   - reference: what was said; nothing where nobody speaks
  public init(of hearing: Hearing, kept: Bool, reference: String) {
    let isLeft = kept && hearing.transcript.hasWords
    words = isLeft ? 1 : 0
    errors = Double(
      WordErrors(of: isLeft ? hearing.transcript.text : "", against: reference).errors)
  }

  public static func mean(of draws: [TextLeft]) -> TextLeft {
    let count = Double(draws.count)
    return TextLeft(
      words: draws.reduce(0) { $0 + $1.words } / count,
      errors: draws.reduce(0) { $0 + $1.errors } / count)
  }
}

/// One intervention: what it leaves of a recording at a strength.
public enum TextArm: String, Sendable, CaseIterable {
  /// Whatever is written; and what Whisper's own code leaves of it.
  case all = "whatever is written"
  case own = "Whisper's own rule"
  /// What has p(no speech) up to the threshold that changed models are read with: what they are to be
  /// compared with.
  case read = "as changed models are read"
  /// What has p(no speech) up to a threshold.
  case noSpeech = "p(no speech)"
  /// What lies above a threshold on the axis, along a direction that is drawn, and on that of the log-mel.
  case gate
  case drawnGate = "gate, drawn direction"
  case melGate = "gate, log-mel"
  /// What the model gives p(no speech) up to a fixed threshold, its activations moved along the axis, or
  /// without some heads; and the same with directions and heads that are drawn.
  case move
  case drawnMove = "move, drawn direction"
  case prune
  case drawnPrune = "prune, drawn heads"
  /// The same with activations along the axis, or of some heads, as they are on average; exploratory.
  case mean = "mean donor"
  case drawnMean = "mean donor, drawn direction"
  case headMean = "mean donor of heads"
  case drawnHeadMean = "mean donor of drawn heads"

  /// Whether there are several draws of it.
  var isDrawn: Bool {
    [.drawnGate, .drawnMove, .drawnPrune, .drawnMean, .drawnHeadMean].contains(self)
  }

  /// The strengths that are tried, in the order in which equals are taken.
  public func strengths(_ rules: HallucinationRules) -> [Double] {
    switch self {
    case .all, .own: [0]
    case .read: [rules.read]
    case .noSpeech: rules.thresholds
    case .gate, .drawnGate, .melGate: rules.gates
    case .move, .drawnMove: rules.moves
    case .mean, .drawnMean: [1]
    case .prune, .drawnPrune, .headMean, .drawnHeadMean: rules.heads.map(Double.init)
    }
  }

  /// What is left of a recording; the mean over draws of what is drawn.
  public func leaves(
    _ heard: HeardText, of recording: Recording, at strength: Double, _ rules: HallucinationRules
  ) -> TextLeft {
    func left(_ hearing: Hearing, _ isKept: Bool) -> TextLeft {
      TextLeft(of: hearing, kept: isKept, reference: recording.text)
    }
    func changed(_ draw: Int) -> TextLeft {
      let hearing = heard.with(self, strength, draw: draw)
      return left(hearing, hearing.noSpeech <= rules.read)
    }
    let plain = heard.plain
    return switch self {
    case .all: left(plain, true)
    case .own: left(plain, !plain.isTakenForSilence)
    case .read, .noSpeech: left(plain, plain.noSpeech <= strength)
    case .gate: left(plain, heard.axis >= strength)
    case .drawnGate: .mean(of: heard.drawn.map { left(plain, $0 >= strength) })
    case .melGate: left(plain, heard.mel >= strength)
    case .move, .prune, .mean, .headMean: changed(0)
    case .drawnMove, .drawnPrune, .drawnMean, .drawnHeadMean:
      .mean(of: heard.drawn.indices.map(changed))
    }
  }
}

/// Rate and cost of one intervention at one strength.
public struct RateAndCost: Sendable {
  public let strength: Double
  /// The share of sounds for which words are left.
  public let rate: Double
  /// Word error rate on speech, less that of whatever the model writes.
  public let cost: Double

  public init(strength: Double, rate: Double, cost: Double) {
    (self.strength, self.rate, self.cost) = (strength, rate, cost)
  }
}

extension TextArm {
  /// Rate and cost at each strength.
  ///
  /// - Throws: where nobody speaks in no recording, or no word was said: there is no rate over nothing.
  public func curve(
    _ recordings: [Recording], _ heard: [HeardText], _ rules: HallucinationRules
  ) throws -> [RateAndCost] {
    let known = Array(zip(recordings, heard))
    let (nobody, somebody) = (known.filter { !$0.0.isSpeech }, known.filter { $0.0.isSpeech })
    let words = somebody.reduce(0.0) { $0 + Double(normalisedWords($1.0.text).count) }
    guard !nobody.isEmpty, words > 0 else {
      throw CellError(
        "\(rawValue): \(nobody.count) sounds and \(Int(words)) words of speech; rates need both")
    }
    return strengths(rules).map { strength in
      let rate = nobody.reduce(0.0) {
        $0 + leaves($1.1, of: $1.0, at: strength, rules).words
      }
      let errors = somebody.reduce(0.0) {
        $0 + leaves($1.1, of: $1.0, at: strength, rules).errors
          - TextArm.all.leaves($1.1, of: $1.0, at: 0, rules).errors
      }
      return RateAndCost(
        strength: strength, rate: rate / Double(nobody.count), cost: errors / words)
    }
  }
}

extension [RateAndCost] {
  /// The lowest rate whose cost stays below a bound, the first of equals; nil where none does, or none
  /// leaves out a text: then the intervention does nothing that may be had.
  public func chosen(below cost: Double, doing rate: Double) -> RateAndCost? {
    filter { $0.cost < cost && $0.rate < rate }.min { $0.rate < $1.rate }
  }
}
