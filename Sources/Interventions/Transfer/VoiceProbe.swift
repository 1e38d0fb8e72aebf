// Who speaks, as a probe reads it from a run that was patched: where the patch was made, and further
// down, where the patch alone does not decide what is read (`paper/definitions.md`, D115).

import Corpus
import Speech
import Tensor

/// Probes for the speaker at the connector's output and in the language model, trained on runs that
/// nobody patched.
public struct VoiceProbes: Sendable {
  /// In the order of `sites`.
  public let probes: [Probe]
  public let sites: [Site]
}

extension SpeechModel {
  /// The sites at which the speaker is read: the connector's output, and two thirds up the language model.
  public var voiceSites: [Site] {
    let layers = model.mapSites.count { $0.stage == .lm && $0.layer != nil }
    return [SpeechModel.transferSite, Site(.lm, 2 * layers / 3, .residPost)]
  }

  /// The mean over the positions of the sound of each site's activation, where some patches act.
  func voiceFeatures(_ base: Trace, _ patches: [Patch] = []) throws -> [[Double]] {
    let run = try model.trace(
      base.question, keeping: voiceSites, recording: false, patches: patches, like: base)
    return try voiceSites.map { site in
      let positions = Window.sound.positions(in: try run.place(of: site).spans)
      return DoubleMatrix(try run.rows(of: Cell(site), at: positions)).columnMeans
    }
  }

  /// Trains the probes.
  ///
  /// - Parameters:
  ///   - utterances: of the speakers that are to be told apart
  ///   - prompt: under which they are heard
  ///   - labels: the speaker of each where they are not its own, as for shuffled labels
  public func voiceProbes(
    on utterances: [Utterance], prompt: String, labels: [String]? = nil, shrinkage: Double,
    root: String
  ) throws -> VoiceProbes {
    let features = try features(of: utterances, prompt: prompt, root: root)
    let labels = labels ?? utterances.map(\.voice)
    return VoiceProbes(
      probes: try voiceSites.indices.map { s in
        try Probe(stacked(features.map { $0[s] }), labels: labels, shrinkage: shrinkage)
      }, sites: voiceSites)
  }

  /// Whom the probes take each utterance's speaker for, by site.
  public func voices(
    of utterances: [Utterance], prompt: String, by probes: VoiceProbes, root: String
  ) throws -> [[String]] {
    let features = try features(of: utterances, prompt: prompt, root: root)
    return probes.probes.enumerated().map { s, probe in
      probe.classes(of: stacked(features.map { $0[s] }))
    }
  }

  /// Whom the probes take the speaker of a patched run for, by site.
  public func voices(of base: Trace, _ patches: [Patch], by probes: VoiceProbes) throws -> [String]
  {
    let features = try voiceFeatures(base, patches)
    return zip(probes.probes, features).map { $0.classes(of: stacked([$1]))[0] }
  }

  private func features(of utterances: [Utterance], prompt: String, root: String) throws
    -> [[[Double]]]
  {
    try mapInParallel(utterances.count) { i in
      let utterance = utterances[i]
      let clip = try clip(utterance.waveform(root: root))
      // No answer is compared; two tokens that differ stand for them.
      let question = Question(
        clip: clip, tokens: try tokens(for: prompt, clip: clip), answer: 0, foil: 1)
      return try voiceFeatures(model.trace(question))
    }
  }

  private func stacked(_ rows: [[Double]]) -> DoubleMatrix {
    DoubleMatrix(rows: rows.count, columns: rows.first?.count ?? 0, rows.flatMap { $0 })
  }
}

/// What probes read of crossings.
public struct ProbeReadings: Codable, Sendable {
  /// By site: the share of utterances of sentences that the probe was not trained on whose speaker it
  /// names, and the same of a probe that was trained on shuffled labels.
  public let held: [Estimate]
  public let shuffled: [Estimate]
  /// By arm.
  public let arms: [String: Arm]

  public struct Arm: Codable, Sendable {
    /// By site: the share of crossings whose speaker is read as the base's.
    public let baseVoice: [Estimate]
  }
}

extension SpeechModel {
  /// Reads the speaker of each crossing's runs: unpatched, with the lexical subspace, with the voice's and
  /// with everything.
  ///
  /// - Parameters:
  ///   - crossings: each with its stranger
  ///   - utterances: of the same speakers, of other sentences; every second sentence trains the probe that
  ///     is tried on the others, all of them the one that reads crossings
  ///   - random: of the random moves
  ///   - shuffling: of the labels
  ///   - draws: bootstrap samples, over sentences by speakers, or over sentences
  public func probeReadings(
    _ crossings: [(crossing: Crossing, stranger: Crossing)], _ utterances: [Utterance],
    _ subspaces: TransferSubspaces, moment: Double, root: String, _ random: Random,
    shuffling: Random, draws: Int, _ bootstrap: Random
  ) throws -> ProbeReadings {
    guard let prompt = crossings.first?.crossing.voicePrompt else {
      throw CellError("there is no crossing whose speaker could be read")
    }
    let shrinkage = 0.1
    let texts = Set(utterances.map(\.text)).sorted()
    let even = Set(texts.indices.filter { $0 % 2 == 0 }.map { texts[$0] })
    let half = utterances.filter { even.contains($0.text) }
    let held = utterances.filter { !even.contains($0.text) }
    var shuffling = shuffling
    let order = shuffling.permutation(half.count)
    func share(_ name: String, _ hits: [Bool], groups: [String]) -> Estimate {
      ratioOfMeans(
        hits.map { $0 ? 1 : 0 }, hits.map { _ in 1 }, groups: groups, draws: draws,
        bootstrap.split(name))
    }
    func shares(_ name: String, _ labels: [String]?) throws -> [Estimate] {
      let probes = try voiceProbes(
        on: half, prompt: prompt, labels: labels, shrinkage: shrinkage, root: root)
      let read = try voices(of: held, prompt: prompt, by: probes, root: root)
      return zip(probes.sites, read).map { site, read in
        share(
          "\(name) \(site)", zip(read, held).map { $0 == $1.voice }, groups: held.map(\.text))
      }
    }
    let probes = try voiceProbes(
      on: utterances, prompt: prompt, shrinkage: shrinkage, root: root)
    let arms: [TransferArm] = [.base, .lexical, .voice, .sound]
    let read = try mapInParallel(crossings.count) { i -> (group: String, isBase: [[Bool]])? in
      let (crossing, stranger) = crossings[i]
      guard
        let runs = try transferRuns(
          of: crossing, subspaces, stranger: stranger, moment: moment, root: root, random)
      else { return nil }
      let isBase = try arms.map { arm in
        try voices(of: runs.base.speaker, runs.moves[arm].map { [$0] } ?? [], by: probes)
          .map { $0 == crossing.voices.base }
      }
      return (crossing.group, isBase)
    }.compactMap { $0 }
    let byArm = arms.enumerated().map { a, arm in
      (
        arm.rawValue,
        ProbeReadings.Arm(
          baseVoice: probes.sites.indices.map { s in
            share(
              "\(arm) \(s)", read.map { $0.isBase[a][s] }, groups: read.map(\.group))
          })
      )
    }
    return ProbeReadings(
      held: try shares("held", nil),
      shuffled: try shares("shuffled", order.map { half[$0].voice }),
      arms: Dictionary(uniqueKeysWithValues: byArm))
  }
}
