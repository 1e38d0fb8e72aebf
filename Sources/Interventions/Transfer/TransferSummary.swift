// What transfers come to, over crossings: whether the text follows the source and the speaker stays the
// base's, with intervals over groups (`paper/definitions.md`, D114).

import Corpus
import Speech
import Tensor

/// All that was said for one crossing.
public struct Transferred: Codable, Sendable {
  public let group: String
  public let texts: Both
  public let words: Both
  public let voices: Both
  /// By the names of the arms.
  public let arms: [String: Said]
  /// The unpatched runs: source, on the base's frames where the sound decides which are kept, the source's text by the base's speaker, and the base's text by the
  /// source's speaker.
  public let source: Said
  public let text: Said
  public let speaker: Said

  /// Of source and base.
  public struct Both: Codable, Sendable {
    public let source: String
    public let base: String

    public init(source: String, base: String) { (self.source, self.base) = (source, base) }
  }

  public init(
    group: String, texts: Both, words: Both, voices: Both, arms: [String: Said], source: Said,
    text: Said, speaker: Said
  ) {
    (self.group, self.texts, self.words, self.voices) = (group, texts, words, voices)
    (self.arms, self.source, self.text, self.speaker) = (arms, source, text, speaker)
  }

  public var base: Said { arms[TransferArm.base.rawValue]! }
}

extension SpeechModel {
  /// Says everything of one crossing.
  ///
  /// - Parameters: as of `transferRuns`, and the arms, the unpatched base among them
  /// - Returns: nil where the connector keeps no frame of the changed moment
  public func transfer(
    _ crossing: Crossing, _ subspaces: TransferSubspaces, stranger: Crossing, moment: Double,
    root: String, arms: [TransferArm] = TransferArm.allCases, _ random: Random
  ) throws -> Transferred? {
    guard
      let runs = try transferRuns(
        of: crossing, subspaces, stranger: stranger, moment: moment, root: root, random)
    else { return nil }
    func plain(_ utterance: Utterance) throws -> Said {
      try said(asked(crossing, utterance, root: root))
    }
    return Transferred(
      group: crossing.group,
      texts: .init(source: crossing.source.text, base: crossing.base.text),
      words: .init(source: crossing.words.source, base: crossing.words.base),
      voices: .init(source: crossing.voices.source, base: crossing.voices.base),
      arms: try transferred(runs, arms),
      source: try said(asked(crossing, crossing.source, root: root, keeping: runs.base.word)),
      text: try plain(crossing.text), speaker: try plain(crossing.speaker))
  }
}

/// Whose text and whose speaker a run says.
public struct TransferShares: Codable, Sendable {
  /// Shares of crossings: the transcript is the source's text, or the base's; the answer is the source's
  /// word; the speaker named is the base's, or the source's.
  public let sourceText: Estimate
  public let baseText: Estimate
  public let sourceWord: Estimate
  public let baseVoice: Estimate
  public let sourceVoice: Estimate
  /// Word errors against the source's text over its words.
  public let errors: Estimate
  /// How far the logit differences of words and of speakers move from the base run towards the source
  /// run, ratios of means.
  public let content: Estimate
  public let voice: Estimate
}

extension [Transferred] {
  /// Those whose runs say the two words, by a gap of so many nats (D17).
  public func entering(minimumGap: Double) -> [Transferred] {
    let filter = PairFilter(minimumGap: minimumGap)
    return self.filter {
      filter.reason(clean: $0.source.content, corrupt: $0.base.content) == nil
    }
  }

  /// Whose text and speaker is said.
  ///
  /// - Parameters:
  ///   - name: of the stream of random numbers
  ///   - said: what of each crossing is read
  public func shares(
    _ name: String, draws: Int, _ random: Random, _ said: (Transferred) -> Said?
  ) -> TransferShares? {
    let present = filter { said($0) != nil }
    guard !present.isEmpty else { return nil }
    func ratio(
      _ what: String, _ value: (Transferred, Said) -> Double,
      over: (Transferred) -> Double = { _ in 1 }
    ) -> Estimate {
      ratioOfMeans(
        present.map { value($0, said($0)!) }, present.map(over), groups: present.map(\.group),
        draws: draws, random.split(name).split(what))
    }
    func share(_ what: String, _ holds: (Transferred, Said) -> Bool) -> Estimate {
      ratio(what, { holds($0, $1) ? 1 : 0 })
    }
    func isText(_ said: Said, _ text: String) -> Bool {
      normalisedWords(said.transcript) == normalisedWords(text)
    }
    return TransferShares(
      sourceText: share("source text") { isText($1, $0.texts.source) },
      baseText: share("base text") { isText($1, $0.texts.base) },
      sourceWord: share("source word") { $1.word == $0.words.source },
      baseVoice: share("base voice") { $1.speaker == $0.voices.base },
      sourceVoice: share("source voice") { $1.speaker == $0.voices.source },
      errors: ratio(
        "errors", { Double(WordErrors(of: $1.transcript, against: $0.texts.source).errors) },
        over: { Double(normalisedWords($0.texts.source).count) }),
      content: ratio(
        "content", { $1.content - $0.base.content }, over: { $0.source.content - $0.base.content }),
      voice: ratio(
        "voice", { $1.voice - $0.base.voice }, over: { $0.source.voice - $0.base.voice }))
  }

  /// Cause, Isolate and their harmonic mean (Huang et al., 2024): how often what a patch is for follows
  /// the source, and how often the other stays the base's.
  public func separation(
    _ part: TransferredPart, draws: Int, _ random: Random
  ) -> (cause: Estimate, isolate: Estimate, mean: Estimate) {
    let arm = part == .lexical ? TransferArm.lexical : .voice
    let hits = map { item -> (cause: Double, isolate: Double) in
      let said = item.arms[arm.rawValue]!
      let (word, speaker) = (said.word, said.speaker)
      return part == .lexical
        ? (word == item.words.source ? 1 : 0, speaker == item.voices.base ? 1 : 0)
        : (speaker == item.voices.source ? 1 : 0, word == item.words.base ? 1 : 0)
    }
    let groups = clustered(hits, by: map(\.group))
    func interval(_ name: String, _ statistic: @escaping (Double, Double) -> Double) -> Estimate {
      clusterInterval(of: groups, draws: draws, widened: true, random.split(name)) { groups in
        let all = groups.joined()
        let count = Double(all.count)
        return statistic(
          all.reduce(0) { $0 + $1.cause } / count, all.reduce(0) { $0 + $1.isolate } / count)
      }
    }
    return (
      interval("cause") { cause, _ in cause }, interval("isolate") { $1 },
      interval("mean") { $0 + $1 > 0 ? 2 * $0 * $1 / ($0 + $1) : 0 }
    )
  }
}
