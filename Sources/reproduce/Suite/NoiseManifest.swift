// The manifest of the noise set: clean recordings, mixtures and their pairs.

import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct NoiseManifest {
  let repository: Repository

  /// - Parameter spoken: the samples of every line of the suite, by id.
  func json(_ spoken: [String: Spoken]) throws -> [String: JSON] {
    let mixtures = NoisePlan.mixtures()
    let waves = Dictionary(
      Suite.lines.map { ($0.file, spoken[$0.id]!.wave.samples) }, uniquingKeysWith: { a, _ in a })
    let mixed = try mapInParallel(mixtures.count) { i -> [Int16] in
      let mixture = mixtures[i]
      return try mixture.noise.mixed(waves[mixture.clean.file]!, name: mixture.clean.id) { file in
        guard let wave = waves[file] else { throw CorpusError("\(file): no line of the suite") }
        return wave
      }
    }
    let purities = try purities(
      zip(mixtures, mixed).map { mixture, samples in
        let clean = spoken[mixture.clean.id]!.samples
        return PurityInput(
          clean: clean, corrupt: samples, spans: nil, ends: ([clean.count], [clean.count]))
      })
    let members = NoisePlan.lines.map { Member(line: $0, spoken: spoken[$0.id]!) }
    let byID = Dictionary(uniqueKeysWithValues: members.map { ($0.line.id, $0) })
    var json = SuiteManifest.header(
      name: NoisePlan.title, description: NoisePlan.description, factor: "noise",
      audio: "artifacts/{evaluation,suite}/*/*.flac",
      voices: SuiteManifest.voices(members.map(\.line)))
    json["license"] = .string(SuiteManifest.licence)
    json["utterances"] = .array(
      try members.map(SuiteManifest(repository: repository).utterance))
    json["mixtures"] = .array(
      zip(mixtures, mixed).map { mixture, samples in
        [
          "id": .string(mixture.id), "clean": .string(mixture.clean.id),
          "noise": .string(mixture.noise.kind.rawValue), "ratio": .number(mixture.noise.ratio),
          "seed": .string(mixture.noise.seed),
          "talkers": .array(mixture.noise.talkers.map { .string($0) }),
          "samplesDigest": .string("\(Digest(ofSamples: samples))"),
        ]
      })
    json["pairs"] = .array(
      zip(mixtures, purities).map { mixture, purity in
        let (line, pair) = (mixture.clean, mixture.pair)
        let plan = PairPlan(
          id: mixture.id, factor: "noise", kind: mixture.kind, clean: line.id, corrupt: mixture.id,
          prompt: pair.prompt, answers: pair.nouns, slot: pair.slot,
          group: "\(line.sentence.text) | \(line.speaker)", split: line.split, voice: line.speaker,
          phone: pair.changedPhone, span: .everything)
        let member = byID[line.id]!
        return SuiteManifest.pair(plan, [line.id: member, mixture.id: member], purity)
      })
    return json
  }
}
