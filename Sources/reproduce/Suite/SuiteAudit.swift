// What must hold of the committed suite, checked from its manifests and files alone: no synthesiser
// is needed.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct SuiteAudit {
  /// A set as its manifest lists it.
  struct Set {
    let name: String
    let suite: PairSuite
    /// The same as JSON, for what only people read.
    let json: JSON
  }

  let sets: [Set]
  private let repository: Repository

  static let names = FactorPlans.all.map(\.name) + [NoisePlan.name, HumanPlan.name]

  /// - Throws: where a manifest or an entry of it is not what it should be, by name.
  init(_ repository: Repository, names: [String] = SuiteAudit.names) throws {
    self.repository = repository
    sets = try names.map { name in
      let path = repository.url("data-manifests/\(name).json").path
      return Set(
        name: name, suite: try PairSuite(manifest: path),
        json: try repository.manifest("\(name).json"))
    }
  }

  // ## Voices, engines, files

  /// Entries whose voice or engine the package does not know, or that the models cannot hear whole.
  func entryFaults() throws -> [String] {
    try sets.flatMap { set in
      try set.json.array("utterances").flatMap { entry -> [String] in
        let id = "data-manifests/\(set.name).json: \(entry["id"]?.string ?? "?")"
        let (voice, engine) = (try entry.string("voice"), try entry.string("engine"))
        let samples = try entry.int("samples")
        var faults: [String] = []
        switch SuiteAudit.engines[voice] {
        case nil:
          let known = SuiteAudit.engines.keys.sorted().joined(separator: ", ")
          faults.append("\(id): no voice \"\(voice)\"; there are \(known)")
        case let known? where known != engine:
          faults.append("\(id): engine \"\(engine)\" has no voice \(voice); \(known) has")
        default: break
        }
        if samples > Suite.window {
          faults.append(
            "\(id): \(samples) samples are longer than the model's window of \(Suite.window)")
        }
        return faults
      }
    }
  }

  /// The engine of each voice.
  private static let engines = Dictionary(
    uniqueKeysWithValues: Voice.timed.map { ("\($0)", $0.engine) }
      + Espeak.neverHeard.map { ($0, Voice.espeak.engine) }
      + DigitManifest.speakers.map { ($0, "human") })

  /// Recordings, mixtures and strings of digits that are not those of the manifests.
  ///
  /// - Parameter recordings: human recordings; without them strings of digits are left out.
  func soundFaults(recordings: HumanRecordings?) throws -> [String] {
    let files = try Manifest(of: repository.root.path)
    var faults: [String] = []
    for file in Swift.Set(sets.flatMap(\.suite.utterances).flatMap(\.files)).sorted() {
      do { try files.check(file) } catch { faults.append("\(error)") }
    }
    guard faults.isEmpty else { return faults }
    for set in sets {
      let digests = Dictionary(
        uniqueKeysWithValues: ["utterances", "mixtures"].flatMap { set.json[$0]?.elements ?? [] }
          .compactMap { entry in
            entry["samplesDigest"]?.string.flatMap { digest in
              entry["id"]?.string.map { ($0, digest) }
            }
          })
      let made = set.suite.utterances.filter {
        digests[$0.id] != nil && (recordings != nil || !$0.isHuman)
      }
      faults += try mapInParallel(made.count) { i -> String? in
        let utterance = made[i]
        let wave = try utterance.waveform(root: repository.root.path, recordings: recordings)
        let samples = wave.samples.map { Int16($0 * 32768) }
        let digest = "\(Digest(ofSamples: samples))"
        return digest == digests[utterance.id]
          ? nil
          : "data-manifests/\(set.name).json: \(utterance.id): samples have the SHA-256 \(digest), "
            + "not \(digests[utterance.id]!)"
      }.compactMap { $0 }
    }
    return faults
  }

  // ## Splits

  /// Sentences that stand in two splits, or in the suite and in training. Training strings of human
  /// digits are drawn anew each time, from all that are not held out, so those of the suite must be.
  func sentenceFaults(training: Swift.Set<String>) -> [String] {
    var splits: [String: Swift.Set<String>] = [:]
    var trained = training
    for utterance in sets.flatMap(\.suite.utterances) {
      splits[utterance.text, default: []].insert(utterance.split)
      if utterance.isHuman, Sentence(text: utterance.text)?.isHeldOut != true {
        trained.insert(utterance.text)
      }
    }
    return splits.sorted { $0.key < $1.key }.compactMap { text, splits in
      if splits.count > 1 {
        return "\"\(text)\" is in \(splits.sorted().joined(separator: " and "))"
      }
      return trained.contains(text) ? "\"\(text)\" is in \(splits.first!) and training" : nil
    }
  }

  /// Speakers of a set who stand in two of its splits.
  func sharedSpeakers() -> [(set: String, speaker: String, splits: [String])] {
    sets.flatMap { set in
      Dictionary(grouping: set.suite.utterances, by: \.voice)
        .mapValues { Swift.Set($0.map(\.split)).sorted() }
        .filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
        .map { (set.name, $0.key, $0.value) }
    }
  }
}

extension Utterance {
  /// Every file below the package that its sound is made from.
  fileprivate var files: [String] {
    switch sound {
    case .recording(let file, _, _): [file]
    case .mixture(let file, let noise): [file] + noise.talkers
    case .digits: []
    }
  }
}
