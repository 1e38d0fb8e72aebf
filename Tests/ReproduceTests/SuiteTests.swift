// The plans of the suite, and an audit that finds what is wrong with its files.

import Corpus
import Foundation
import JSON
import Notebook
import Speech
import Testing

@testable import reproduce

@Suite struct SuitePlans {
  let sets = FactorPlans.all

  @Test func everyFactorHasSixtyPairs() {
    let counts = Dictionary(uniqueKeysWithValues: sets.map { ($0.name, $0.pairs.count) })
    #expect(
      counts == [
        "evaluation": 300, "homophone": 60, "speaker": 144, "factorial": 72, "prosody": 100,
        "never-heard": 72,
      ])
    #expect(NoisePlan.mixtures().count == 1500)
    #expect(HumanPlan.replacements().count == 90 && HumanPlan.swaps().count == 60)
    for set in sets {
      #expect(Set(set.pairs.map(\.id)).count == set.pairs.count, "\(set.name)")
      let known = Set(set.lines.map(\.id))
      for pair in set.pairs {
        #expect(known.contains(pair.clean) && known.contains(pair.corrupt), "\(pair.id)")
      }
    }
  }

  @Test func linesOfOneNameAreOneLine() {
    var byID: [String: Line] = [:]
    for line in sets.flatMap(\.lines) {
      #expect(byID.updateValue(line, forKey: line.id) ?? line == line, "\(line.id)")
    }
    let homophones = Set(sets[1].lines.map(\.file))
    let others = byID.values.filter { !homophones.contains($0.file) }
    #expect(Set(others.map(\.file)).count == others.count && homophones.count == 60)
  }

  @Test func sentencesBelongToOneSplitAndNotToTraining() {
    var owner: [String: String] = [:]
    for line in sets.flatMap(\.lines) {
      let split = owner.updateValue(line.split, forKey: line.sentence.text)
      #expect(split ?? line.split == line.split, "\(line.id)")
    }
    // Training leaves out the phoneme set's texts and all that are held out.
    let phoneme = Set(FactorPlans.phonemePairs.flatMap { [$0.clean.text, $0.corrupt.text] })
    let human = (HumanPlan.replacements() + HumanPlan.swaps()).flatMap { [$0.clean, $0.corrupt] }
    for sentence in sets.flatMap(\.lines).map(\.sentence) + human.map(\.sentence) {
      #expect(sentence.isHeldOut || phoneme.contains(sentence.text), "\(sentence.text)")
    }
    let exceptions = sets.filter { ["speaker", "factorial"].contains($0.name) }.flatMap(\.lines)
      .filter { $0.variant == nil && $0.split != $0.voice.split }
    #expect(Set(exceptions.map { "\($0.voice) \($0.split)" }) == ["slt validation"])
  }

  @Test func homophonesAreOneSound() throws {
    let set = try #require(sets.first { $0.name == "homophone" })
    let lines = Dictionary(set.lines.map { ($0.id, $0) }) { a, _ in a }
    for pair in set.pairs {
      let (a, b) = (try #require(lines[pair.clean]), try #require(lines[pair.corrupt]))
      #expect(a.phones == b.phones && a.sentence != b.sentence && a.file == b.file)
      #expect(pair.answers.0 != pair.answers.1)
    }
  }

  @Test func factorialDesignsCross() throws {
    let set = try #require(sets.first { $0.name == "factorial" })
    let lines = Dictionary(set.lines.map { ($0.id, $0) }) { a, _ in a }
    for pair in set.pairs {
      let crossed = try #require(pair.crossed)
      let (clean, corrupt) = (lines[pair.clean]!, lines[pair.corrupt]!)
      let (text, speaker) = (lines[crossed.text]!, lines[crossed.speaker]!)
      #expect(text.sentence == clean.sentence && text.voice == corrupt.voice)
      #expect(speaker.sentence == corrupt.sentence && speaker.voice == clean.voice)
      #expect(clean.voice != corrupt.voice && clean.sentence != corrupt.sentence)
    }
  }

  @Test func prosodyEditsChangeOneThing() throws {
    let set = try #require(sets.first { $0.name == "prosody" })
    let lines = Dictionary(set.lines.map { ($0.id, $0) }) { a, _ in a }
    var kinds: [String: Int] = [:]
    for pair in set.pairs {
      let (a, b) = (lines[pair.clean]!, lines[pair.corrupt]!)
      #expect(a.sentence == b.sentence && a.voice == b.voice && a.delivery != b.delivery)
      kinds[try #require(pair.kind), default: 0] += 1
      let changes = [
        a.delivery.rate != b.delivery.rate, a.delivery.pitch != b.delivery.pitch,
        a.delivery.isAsking != b.delivery.isAsking, a.delivery.emphasis != b.delivery.emphasis,
      ]
      #expect(changes.count { $0 } == 1)
      #expect((pair.attribute != nil) == (changes[0] || changes[2]), "\(pair.id)")
    }
    #expect(Set(kinds.values) == [20] && kinds.count == 5)
  }

  @Test func noiseIsMadeOfOtherVoicesOfItsSide() throws {
    let lines = Dictionary(sets.flatMap(\.lines).map { ($0.file, $0) }) { a, _ in a }
    for mixture in NoisePlan.mixtures() {
      let talkers = try mixture.noise.talkers.map { try #require(lines[$0]) }
      #expect(Set(talkers.map(\.id)).count == talkers.count)
      for talker in talkers {
        #expect(talker.speaker != mixture.clean.speaker)
        #expect((talker.split == "test") == (mixture.clean.split == "test"))
        let nouns = mixture.clean.words.filter { $0.kind == .noun }.map(\.spelling)
        #expect(nouns.allSatisfy { !talker.sentence.words.contains($0) })
      }
    }
  }

  @Test func humanStringsAreOfTestRecordings() throws {
    for pair in HumanPlan.replacements() + HumanPlan.swaps() {
      for line in [pair.clean, pair.corrupt] {
        for (name, word) in zip(line.names, line.sentence.words) {
          let parts = name.split(separator: "_")
          #expect(Lexicon.digits[Int(parts[0])!] == word && parts[1] == line.speaker)
          #expect(Int(parts[2])! < DigitManifest.testTakes)
        }
      }
      let isDigit = pair.factor == "digit"
      let changed = (0..<3).filter { pair.clean.names[$0] != pair.corrupt.names[$0] }
      #expect(changed == (isDigit ? [pair.place] : [0, 1, 2]))
      #expect((pair.clean.sentence == pair.corrupt.sentence) != isDigit)
      #expect(pair.answers.0 == pair.clean.sentence.words[pair.place])
      #expect(!isDigit || pair.answers.1 == pair.corrupt.sentence.words[pair.place])
      #expect(!pair.clean.sentence.words.contains(pair.answers.1))
    }
  }

  @Test func membersThatAreNotWhatTheirSetSaysAreErrors() {
    let pair = FactorPlans.phonemePairs[0]
    let lines = [FactorPlans.clean(pair), FactorPlans.corrupt(pair)]
    func check(_ first: Spoken, _ second: Spoken, _ words: String...) {
      var set = FactorPlans.phoneme
      set.pairs = Array(set.pairs.prefix(1))
      let members = Dictionary(
        uniqueKeysWithValues: zip(lines, [first, second]).map {
          ($0.id, Member(line: $0, spoken: $1))
        })
      let error = #expect(throws: CorpusError.self) { try Suite.check(set, members) }
      for word in words where error != nil { #expect("\(error!)".contains(word), "\(error!)") }
    }
    let count = lines[0].phones.count
    func spoken(_ value: Int16, length: Int = 1600, shift: Int = 0) -> Spoken {
      let ends = (1..<count).map { 10 * $0 + shift } + [length]
      return Spoken(samples: [Int16](repeating: value, count: length), ends: ends)
    }
    check(spoken(1), spoken(1), pair.id, "sound the same")
    check(spoken(1), spoken(2, shift: 1), pair.id, pair.corruptID, "not aligned")
    check(spoken(1, length: 48_001), spoken(2, length: 48_001), "longer than the model's window")
  }
}

@Suite struct SuiteAudits {
  /// A package of one set of two recordings, which an audit finds right.
  final class Package {
    let root: URL
    var repository: Repository { Repository(root: root) }

    init() throws {
      root = FileManager.default.temporaryDirectory
        .appendingPathComponent("suite-\(UUID().uuidString)")
      try FileManager.default.createDirectory(
        at: root.appendingPathComponent("data-manifests"), withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func record(_ file: String, _ step: Double) throws -> [String: JSON] {
      let path = root.appendingPathComponent(file).path
      let samples = (0..<4000).map { Float((1000 * sin(step * Double($0))).rounded() / 32768) }
      try Waveform(samples: samples).write(to: path)
      return [
        "file": .string(file),
        "bytes": .integer(try Data(contentsOf: URL(fileURLWithPath: path)).count),
        "sha256": .string("\(try Digest(ofFile: path))"), "samples": 4000,
        "text": "bat two and map nine", "split": "test", "voice": "kal", "engine": "festival",
        "phones": [["pau", 0, 2000], ["b", 2000, 4000]], "questions": [],
      ]
    }

    func audit(
      _ changes: [String: JSON] = [:], mixture: [String: JSON] = [:]
    ) throws -> SuiteAudit {
      let a = try record("a.flac", 0.3).merging(["id": "a"]) { $1 }.merging(changes) { $1 }
      let b = try record("b.flac", 0.7).merging(["id": "b"]) { $1 }
      var noise: [String: JSON] = [
        "id": "m", "clean": "b", "noise": "white", "ratio": 0, "seed": "s", "talkers": [],
      ]
      let clean = try Waveform(contentsOf: root.appendingPathComponent("b.flac").path).samples
      let mixed = try NoiseMix(kind: .white, ratio: 0, seed: "s")
        .mixed(clean, name: "b") { _ in [] }
      noise["samplesDigest"] = .string("\(Digest(ofSamples: mixed))")
      noise.merge(mixture) { $1 }
      try repository.write(
        [
          "sampleRate": 16_000, "utterances": [.object(a), .object(b)],
          "mixtures": [.object(noise)], "pairs": [],
        ], manifest: "set.json")
      return try SuiteAudit(repository, names: ["set"])
    }
  }

  @Test func whatIsRightHasNoFaults() throws {
    let package = try Package()
    let audit = try package.audit()
    #expect(try audit.entryFaults() == [] && audit.soundFaults(recordings: nil) == [])
    #expect(audit.sentenceFaults(training: ["pat two and map nine"]) == [])
    #expect(audit.sharedSpeakers().isEmpty)
  }

  @Test func faultsNameTheirEntries() throws {
    let package = try Package()
    func entry(_ changes: [String: JSON], _ words: String...) throws {
      let faults = try package.audit(changes).entryFaults()
      #expect(faults.count == 1)
      for word in ["set.json: a: "] + words {
        #expect(faults.first?.contains(word) == true, "\(faults)")
      }
    }
    try entry(["voice": "hal"], "no voice \"hal\"", "kal", "theo")
    try entry(["engine": "flite"], "\"flite\" has no voice kal; festival has")
    try entry(["samples": 48_001], "48001", "window")
    let digest = String(repeating: "0", count: 64)
    let wrong = try package.audit(["sha256": .string(digest)]).soundFaults(recordings: nil)
    #expect(wrong.count == 1 && wrong[0].contains("a.flac") && wrong[0].contains(digest))
    let mixed = try package.audit(mixture: ["ratio": 1]).soundFaults(recordings: nil)
    #expect(mixed.count == 1 && mixed[0].contains("set.json: m: samples have the SHA-256"))
    let gone = try package.audit(["file": "c.flac"])
    let missing = try gone.soundFaults(recordings: nil)
    #expect(missing.count == 1 && missing[0].contains("c.flac is missing"), "\(missing)")
    let split = try package.audit(["split": "discovery"])
    #expect(split.sentenceFaults(training: []).first?.contains("discovery and test") == true)
    #expect(split.sharedSpeakers().map(\.speaker) == ["kal"])
    let trained = try package.audit().sentenceFaults(training: ["bat two and map nine"])
    #expect(trained.count == 1 && trained[0].contains("training"))
  }

  @Test func theCommittedSuiteIsWhatItsPlansSay() throws {
    let repository = try Repository()
    let audit = try SuiteAudit(repository)
    #expect(try audit.entryFaults() == [])
    let training = try TrainingSet(repository).readManifest().flatMap(\.rows).map(\.text)
    #expect(audit.sentenceFaults(training: Set(training)) == [])
    for (plan, set) in zip(FactorPlans.all, audit.sets) {
      #expect(set.suite.pairs.map(\.id) == plan.pairs.map(\.id), "\(plan.name)")
    }
    let noise = try #require(audit.sets.first { $0.name == NoisePlan.name })
    #expect(noise.suite.pairs.map(\.corrupt.id) == NoisePlan.mixtures().map(\.id))
    let human = try #require(audit.sets.first { $0.name == HumanPlan.name })
    let plans = HumanPlan.replacements() + HumanPlan.swaps()
    #expect(human.suite.pairs.map(\.clean.id) == plans.map(\.clean.id))
    #expect(audit.sets.flatMap(\.suite.pairs).count >= 500)
  }

  @Test func verdictsOnFiles() throws {
    let package = try Package()
    try FileManager.default.createDirectory(
      at: package.root.appendingPathComponent("build/suite"), withIntermediateDirectories: true)
    let (wave, other) = (Waveform(samples: [0.25, -0.5]), Waveform(samples: [0.25, 0.5]))
    func verdict(_ wave: Waveform, write: Bool) throws -> Verdict {
      try package.repository.verdict(on: wave, file: "x/y.flac", write: write)
    }
    #expect(try verdict(wave, write: false) == .missing)
    #expect(try verdict(wave, write: true) == .written)
    #expect(try verdict(wave, write: true) == .kept)
    #expect(try verdict(wave, write: false) == .same)
    #expect(try verdict(other, write: false) == .differs)
    let path = package.root.appendingPathComponent("x/y.flac")
    // FLAC ends in frames; what stands behind them is not read.
    try (Data(contentsOf: path) + Data([0, 0, 0])).write(to: path)
    #expect(try verdict(wave, write: false) == .sameSamples)
  }

  @Test func anotherVersionIsSaid() {
    let installed = Subprocess.version(of: "libflite1")
    #expect(otherVersions(.awb, packages: ["libflite1": installed]).isEmpty)
    let others = otherVersions(.awb, packages: ["libflite1": "0.1"])
    #expect(others == ["libflite1 \(installed), not 0.1"])
    #expect(otherVersions(.awb, packages: [:]).isEmpty)
  }
}
