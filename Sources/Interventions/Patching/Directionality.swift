// Does the wrong transcript's activation make the model say the wrong transcript? The clean run, with
// the changed window of the corrupt one, is let speak; beside it the same with two shams as long
// (`paper/definitions.md`, D120).

import Speech
import Tensor

/// What is put into the clean run's changed window.
public enum Director: String, Codable, Sendable, CaseIterable {
  /// The corrupt run's activation there.
  case source
  /// An unrelated item's, moved as far.
  case wrongItem = "wrong item"
  /// The corrupt run's, of other positions, moved as far.
  case positionSham = "wrong window"
}

/// Whether what is said is what the donor of the patch said.
public struct Followed: Codable, Sendable, Equatable {
  /// The short answer, and the whole transcript where it was asked for.
  public let answer: Bool
  public let transcript: Bool?

  public init(answer: Bool, transcript: Bool?) {
    (self.answer, self.transcript) = (answer, transcript)
  }
}

/// One pair, directed towards its corrupt member.
public struct DirectedPair: Codable, Sendable {
  /// Logit differences, clean answer against corrupt, in nats: of both runs, and of the clean run with
  /// the corrupt one's window.
  public let clean: Double
  public let corrupt: Double
  public let patched: Double
  /// Greedy text of the clean run unpatched, and by director, against that of the corrupt member.
  public let unpatched: Followed
  public let followed: [Followed]

  public subscript(director: Director) -> Followed {
    followed[Director.allCases.firstIndex(of: director)!]
  }
}

extension SpeechModel {
  /// Directs the clean run towards the corrupt member.
  ///
  /// - Parameters:
  ///   - transcribe: what asks for the whole transcript; nil where it is not asked for
  ///   - random: split by the pair's name, for the place of the position sham
  public func directed(_ pair: WindowedPair, transcribe: String?, _ random: Random) throws
    -> DirectedPair
  {
    let (base, source) = (pair.clean, pair.corrupt)
    guard let first = pair.positions.first, let last = pair.positions.last,
      let selection = try Selection(
        Cell(pair.site, .positions(first, last + 1)), base: base, source: source, .identity)
    else { throw CellError("pair \(pair.pair.id): \(pair.site) has no position in the window") }
    let patches = try Director.allCases.map { director -> Patch in
      switch director {
      case .source: return selection.patch()
      case .wrongItem:
        let donor = Donor.unrelated(pair.stranger, shift: pair.shift, matching: source)
        return selection.patch(taking: try donor.rows(for: selection.cell, pair.positions, base)!)
      case .positionSham:
        guard
          let patch = try model.control(
            .positionSham, of: selection, base: base, source: source, stranger: nil,
            random.split(pair.pair.id))
        else {
          throw CellError("pair \(pair.pair.id): no sound lies outside the changed window")
        }
        return patch
      }
    }
    var config = GenerationConfig()
    config.endTokens = endTokens
    config.limit = 16
    func said(_ run: Trace, _ patches: [Patch]) throws -> [Int] {
      try model.generate(run, patches, config).tokens
    }
    let answer = try textTokens(pair.pair.answers.corrupt)
    let transcript = try textTokens(pair.pair.corrupt.text)
    var asked: Trace?
    if let transcribe {
      let tokens = try tokens(for: transcribe, clip: base.question.clip)
      asked = try model.trace(
        Question(
          clip: base.question.clip, tokens: tokens, answer: base.question.answer,
          foil: base.question.foil
        ).keepingFrames(of: base))
    }
    func followed(_ patches: [Patch]) throws -> Followed {
      Followed(
        answer: try said(base, patches) == answer,
        transcript: try asked.map { try said($0, patches) == transcript })
    }
    return DirectedPair(
      clean: base.logitDifference, corrupt: source.logitDifference,
      patched: try model.patched(base, [[patches[0]]])[0].logitDifference,
      unpatched: try followed([]), followed: try patches.map { try followed([$0]) })
  }
}
