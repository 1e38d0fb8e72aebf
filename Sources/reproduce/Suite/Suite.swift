// The evaluation suite: all its sets spoken, compared with what is committed or written anew.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech

struct Suite {
  private let repository: Repository
  private let write: Bool
  /// What is not as committed and should be.
  private(set) var faults: [String] = []

  init(_ repository: Repository, write: Bool) {
    self.repository = repository
    self.write = write
  }

  static var lines: [Line] {
    SetPlan(
      name: "", title: "", description: "", factor: "",
      lines: FactorPlans.all.flatMap(\.lines), pairs: []
    ).uniqueLines
  }

  /// Speaks everything and prints, file by file, what came of it.
  mutating func make() throws {
    let lines = Suite.lines
    let spoken = try speak(lines)
    let changed = try compareFiles(lines, spoken)
    for plan in FactorPlans.all {
      let members = Dictionary(
        uniqueKeysWithValues: plan.uniqueLines.map {
          ($0.id, Member(line: $0, spoken: spoken[$0.id]!, padding: plan.padding[$0.id] ?? 0))
        })
      try Suite.check(plan, members)
      let json = try SuiteManifest(repository: repository).json(plan, members)
      try settle(json, plan.name, ignoring: changed)
    }
    try settle(
      NoiseManifest(repository: repository).json(spoken), NoisePlan.name, ignoring: changed)
    try makeHuman()
  }

  /// The manifest of digit strings needs recordings that are no part of the package.
  private mutating func makeHuman() throws {
    guard let recordings = try DigitManifest(repository).recordings(repository) else {
      print("data-manifests/\(HumanPlan.name).json: \(HumanRecordings.absent)")
      return
    }
    try settle(HumanPlan(recordings).json(), HumanPlan.name, ignoring: [])
  }

  // ## Speaking

  private func speak(_ lines: [Line]) throws -> [String: Spoken] {
    let folder = repository.url("build/suite")
    let voices = Voice.allCases.map { voice in (voice, lines.filter { $0.voice == voice }) }
    try SpeakAll(folder: folder, title: "suite").run(
      voices.map { (voice: $0, rows: $1.map(\.row)) })
    var raw: [String: Spoken] = [:]
    for (voice, lines) in voices {
      let spoken = try VoiceCache(name: "\(voice)", folder: folder).read()
      for (line, spoken) in zip(lines, spoken) { raw[line.id] = spoken }
    }
    var levelled: [String: Spoken] = [:]
    for line in lines {
      let own = raw[line.id]!
      // espeak-ng's rows come at their level.
      guard line.variant == nil else {
        levelled[line.id] = own
        continue
      }
      let leader = line.levelledWith ?? line.id
      let followers = lines.filter { $0.levelledWith == leader }.map { raw[$0.id]!.peakGain }
      levelled[line.id] = own.scaled(by: ([raw[leader]!.gain] + followers).min()!)
    }
    return levelled
  }

  // ## Comparing

  /// Prints a verdict a file; returns the ids of lines that another version of a synthesiser speaks
  /// otherwise, for which the committed recordings stand.
  private mutating func compareFiles(
    _ lines: [Line], _ spoken: [String: Spoken]
  ) throws -> Set<String> {
    var seen: [String: String] = [:]
    var changed: Set<String> = []
    for line in lines {
      let wave = spoken[line.id]!.wave
      if let twin = seen.updateValue(line.id, forKey: line.file) {
        guard spoken[twin]! == spoken[line.id]! else {
          throw CorpusError(
            "\(line.file): \(twin) and \(line.id) should sound the same, and do not")
        }
        continue
      }
      let verdict = try repository.verdict(on: wave, file: line.file, write: write)
      print(verdict.rawValue.padding(toLength: 13, withPad: " ", startingAt: 0), line.file)
      guard verdict == .differs || verdict == .missing else { continue }
      let others = try otherVersions(line.voice, packages: committedPackages(line))
      if verdict == .differs, !others.isEmpty {
        print(
          "  \(line.id): spoken by \(others.joined(separator: ", ")); the committed file stands")
        changed.insert(line.id)
      } else {
        faults.append("\(line.file): \(verdict.rawValue) (\(line.id))")
      }
    }
    return changed
  }

  /// The packages that a line was spoken with, from the manifest of a set that has it.
  private func committedPackages(_ line: Line) throws -> [String: String] {
    guard let plan = FactorPlans.all.first(where: { $0.lines.contains(line) }) else { return [:] }
    let voice = try repository.manifest("\(plan.name).json")["voices"]?[line.speaker]
    return (voice?["packages"]?.members ?? [:]).compactMapValues(\.string)
  }

  /// Writes a manifest, or says which of its entries are not as committed.
  private mutating func settle(
    _ json: [String: JSON], _ name: String, ignoring changed: Set<String>
  ) throws {
    let file = "\(name).json"
    if write {
      try repository.write(.object(json), manifest: file)
      print("written       data-manifests/\(file)")
      return
    }
    let committed = try repository.manifest(file)
    var differing: [String] = []
    for key in ["utterances", "mixtures", "pairs"] where json[key] != nil {
      let (new, old) = (json[key]?.elements ?? [], try committed.array(key))
      if new.count != old.count { differing.append("\(old.count) \(key), not \(new.count)") }
      for (a, b) in zip(new, old) where a != b {
        let ids = ["id", "clean", "corrupt"].compactMap { b[$0]?.string }
        if changed.isDisjoint(with: ids) { differing.append("\(key) \(ids.first ?? "?"): differs") }
      }
    }
    faults += differing.map { "data-manifests/\(file): \($0)" }
    let verdict = differing.isEmpty ? "same entries" : "differs"
    print(verdict.padding(toLength: 13, withPad: " ", startingAt: 0), "data-manifests/\(file)")
  }

  /// Members that should be aligned are, those that should differ do, and all fit the model.
  static func check(_ plan: SetPlan, _ members: [String: Member]) throws {
    for member in members.values where member.samples.count > Suite.window {
      throw CorpusError(
        "\(member.line.id): \(member.samples.count) samples, longer than the model's window of "
          + "\(Suite.window); say it faster or shorten it")
    }
    for pair in plan.pairs {
      let (clean, corrupt) = (members[pair.clean]!, members[pair.corrupt]!)
      let others = pair.crossed.map { [members[$0.text]!, members[$0.speaker]!] } ?? []
      for other in [corrupt] + others where pair.alignment == "identity" {
        guard clean.segments.map(\.end) == other.segments.map(\.end) else {
          throw CorpusError("\(plan.name): \(pair.id): \(other.line.id) is not aligned")
        }
      }
      guard (clean.samples == corrupt.samples) == (pair.factor == "homophone") else {
        let how = pair.factor == "homophone" ? "differ" : "sound the same"
        throw CorpusError("\(plan.name): \(pair.id): the members \(how)")
      }
    }
  }

  /// What the small models hear at most, in samples: 3 s.
  static let window = 48_000
}

extension Spoken {
  /// A factor that leaves every peak below 0.9 of full scale.
  fileprivate var peakGain: Double {
    0.9 * 32768 / max(1, samples.reduce(0.0) { max($0, abs(Double($1))) })
  }

  /// The samples as other parts of the package read them.
  var wave: Waveform { Waveform(samples: samples.map { Float($0) / 32768 }) }
}
