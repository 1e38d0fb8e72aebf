// Factors that leave the words alone: another speaker, another prosody. What is patched should not change
// what is said, and what the model hears of the voice should follow (`paper/definitions.md`, D129).

import Corpus
import Speech
import Tensor

/// One pair whose members say the same: the corrupt run with activations of the clean one.
public struct PreservingMap: Codable, Sendable {
  /// Log p(right word) - log p(foil) of the base run, in nats.
  public let text: Double
  /// The same with the moment, and with all of the sound, taken from the source, by site.
  public let patchedText: [[Double?]]
  /// Log p(source's voice) - log p(base's) of the source run and of the base run, and with each patch;
  /// nil where nothing is asked about the voice.
  public let voice: [Double]?
  public let patchedVoice: [[Double?]]
  /// Normalised transcripts of the base run, and with the moment and all of the sound at the connector.
  public let transcripts: [String]
}

/// The windows of such a map.
public let preservingNames = ["the word's moment", "all of the sound"]

extension SpeechModel {
  /// - Returns: nil where the base run does not answer the question about the word
  /// - Throws: where the members are not aligned to the sample
  public func preserving(_ pair: MinimalPair, root: String) throws -> PreservingMap? {
    guard pair.alignment == .identity else {
      throw CheckpointError("pair \(pair.id): its members are not aligned to the sample")
    }
    let windows: [Window?] = [TaskWindows.momentWindow(of: pair), .sound]
    func runs(_ prompt: String, _ answers: (String, String)) throws -> (
      source: Trace, base: Trace
    ) {
      func question(_ utterance: Utterance) throws -> Question {
        try self.question(utterance.waveform(root: root), prompt, answers: answers, of: pair.id)
      }
      let found = try model.sharingFrames(question(pair.clean), question(pair.corrupt))
      return (found.clean, found.corrupt)
    }
    let word = try runs(pair.prompt, pair.answers)
    guard word.base.logitDifference > 0, word.source.logitDifference > 0 else { return nil }
    var voice: [Double]?
    var patchedVoice: [[Double?]] = []
    if let asked = pair.attribute {
      let heard = try runs(asked.prompt, (asked.clean, asked.corrupt))
      voice = [heard.source.logitDifference, heard.base.logitDifference]
      patchedVoice = try model.cutMap(heard.base, with: .source(heard.source), windows)
    }
    let written = try runs("transcribe:", pair.answers)
    var config = GenerationConfig()
    (config.endTokens, config.limit) = (endTokens, 32)
    let connector = model.mapSites.first { $0.stage == .connector }!
    let patches =
      try [[]]
      + windows.map { window in
        try Selection(
          Cell(connector, window!), base: written.base, source: written.source, .identity
        ).map { [$0.patch()] } ?? []
      }
    let transcripts = try patches.map {
      normalisedWords(tokenizer.decode(try model.generate(written.base, $0, config).tokens))
        .joined(separator: " ")
    }
    return PreservingMap(
      text: word.base.logitDifference,
      patchedText: try model.cutMap(word.base, with: .source(word.source), windows),
      voice: voice, patchedVoice: patchedVoice, transcripts: transcripts)
  }
}

/// What the patches of one factor change, at one site.
public struct PreservingReading: Codable, Sendable {
  public let pairs: Int
  /// By window: the mean absolute change of the word's logit difference over the mean of that difference.
  public let text: [Estimate]
  /// By window, at the connector: the share of transcripts that stay word for word, and word errors
  /// against the base run's.
  public let same: [Estimate]
  public let errors: [Estimate]
  /// By window: the share of the way from the base's voice to the source's; empty without a question.
  public let voice: [Estimate]
}

extension Array where Element == PreservingMap {
  /// - Parameter site: whose patches are read; transcripts are the connector's
  public func reading(site: Int, groups: [String], draws: Int, _ random: Random)
    -> PreservingReading
  {
    precondition(groups.count == count && !isEmpty, "a group for each pair")
    func ratio(_ name: String, _ window: Int, _ rows: [(Double, Double)?]) -> Estimate {
      let present = rows.indices.filter { rows[$0] != nil }
      return ratioOfMeans(
        present.map { rows[$0]!.0 }, present.map { rows[$0]!.1 },
        groups: present.map { groups[$0] }, draws: draws, random.split(name).split(window))
    }
    let windows = preservingNames.indices
    let hasVoice = contains { $0.voice != nil }
    return PreservingReading(
      pairs: count,
      text: windows.map { window in
        ratio(
          "text", window,
          map { pair in
            pair.patchedText[site][window].map { (abs($0 - pair.text), pair.text) }
          })
      },
      same: windows.map { window in
        ratio(
          "same", window,
          map {
            ($0.transcripts[window + 1] == $0.transcripts[0] ? 1 : 0, 1)
          })
      },
      errors: windows.map { window in
        ratio(
          "errors", window,
          map { pair -> (Double, Double) in
            let errors = WordErrors(
              of: pair.transcripts[window + 1], against: pair.transcripts[0])
            return (Double(errors.errors), Double(errors.words))
          })
      },
      voice: hasVoice
        ? windows.map { window in
          ratio(
            "voice", window,
            map { pair in
              guard let voice = pair.voice else { return nil }
              let patched = pair.patchedVoice[site][window] ?? voice[1]
              return (patched - voice[1], voice[0] - voice[1])
            })
        } : [])
  }
}
