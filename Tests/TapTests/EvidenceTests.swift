// What the verbs that measure state beside their numbers, on the shipped checkpoint and its suite:
// certificates, intervals, controls, what was run on what, and at what cost. No number of the checkpoint
// is expected, only what holds of any.

import Foundation
import JSON
import Testing

/// A folder for lists and results, with a copy of the suite's manifest so that its log of openings is
/// not the package's.
final class Bench {
  let folder: String
  var manifest: String { "\(folder)/evaluation.json" }

  static let checkpoint = "\(Broken.root.path)/artifacts/qwen2-audio-small"
  static let rules = "\(Broken.root.path)/paper/preregistration.json"

  init() throws {
    // Recordings are looked up beside the manifest's folder.
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("tap-bench-\(UUID().uuidString)")
    folder = scratch.appendingPathComponent("data-manifests").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: scratch.appendingPathComponent("artifacts").path,
      withDestinationPath: Broken.root.appendingPathComponent("artifacts").path)
    try FileManager.default.copyItem(
      atPath: Broken.root.appendingPathComponent("data-manifests/evaluation.json").path,
      toPath: manifest)
  }

  deinit {
    try? FileManager.default.removeItem(
      at: URL(fileURLWithPath: folder).deletingLastPathComponent())
  }

  func file(_ name: String) -> String { "\(folder)/\(name)" }

  static func recording(_ name: String) -> String {
    Broken.root.appendingPathComponent("artifacts/evaluation/\(name).flac").path
  }

  /// What a verb wrote; it must have ended well.
  func result(_ out: String, _ arguments: [String]) throws -> (json: JSON, text: String) {
    let ran = try tap(arguments + ["--out", file(out)])
    try #require(ran.status == 0, "\(ran.err)")
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(out))))
    return (try JSON(parsing: bytes, name: out), ran.out)
  }

  func search(_ out: String, _ more: [String]) throws -> (json: JSON, text: String) {
    try result(
      out,
      [
        "search", "--model", Bench.checkpoint, "--pairs", manifest, "--method", "attribution",
        "--sites", "connector.out,lm.1.resid_post,lm.2.resid_post",
      ] + more)
  }

  func refuses(_ arguments: [String], _ words: String...) throws {
    let ran = try tap(arguments)
    #expect(ran.status > 0 && ran.out.isEmpty, "\(ran.out)")
    for word in words { #expect(ran.err.contains(word), "\(ran.err)") }
  }
}

extension JSON {
  func at(_ keys: String...) -> JSON { keys.reduce(self) { $0[$1] ?? .null } }
}

@Suite struct EvidenceTests {
  let bench: Bench

  init() throws { bench = try Bench() }

  @Test func everyResultSaysWhatWasRunOnWhat() throws {
    let (found, text) = try bench.search(
      "search.json", ["--split", "discovery", "--limit", "3", "--preregistration", Bench.rules])
    for key in ["model_sha256", "pairs_sha256", "recordings_sha256"] {
      #expect(found.at(key).string?.count == 64, "\(key)")
      #expect(text.contains(try #require(found.at(key).string).prefix(12)), "\(key)")
    }
    let digest = try #require(found.at("preregistration", "sha256").string)
    #expect(text.contains("preregistration \(digest.prefix(12))"))
    #expect(found.at("corruption").string == "paired" && found.at("alignment").string == "auto")
    #expect(found.at("metric").string == "logit-difference")
    let kept = try #require(found.at("pairs_kept").elements).count
    #expect(found.at("pairs_given").int == 3 && kept > 0)
    let counts = try #require(found.at("excluded_by_reason").members).values.compactMap(\.int)
    #expect(counts.count == 3 && counts.reduce(0, +) == 3 - kept)
    // The filter runs both members of each pair; attribution two runs and one back, both ways.
    #expect(found.at("cost", "forwards").double == Double(6 + 4 * kept))
    #expect(found.at("cost", "backwards").double == Double(2 * kept))
    // How long it took is printed and not stored: the next run gives the same file.
    #expect(found.at("cost").members?.count == 2 && text.contains("s of one core"))
    #expect(text.contains("\(6 + 4 * kept) forwards, \(2 * kept) backwards"))
    let (free, _) = try bench.search("free.json", ["--split", "discovery", "--limit", "1"])
    #expect(free.at("preregistration").string == "none")
  }

  @Test func confirmCertifiesEachDirection() throws {
    _ = try bench.search("search.json", ["--split", "discovery", "--limit", "12"])
    let (found, text) = try bench.result(
      "confirm.json",
      [
        "confirm", "--search", bench.file("search.json"), "--top", "6", "--random", "12", "--hit",
        "0.2",
      ])
    #expect(found.at("groups_kept").int! >= 6, "too few pairs are answered for intervals")
    for direction in ["sufficiency", "necessity"] {
      let certificate = found.at(direction, "certificate")
      for name in ["pearson", "spearman", "kendall"] {
        let value = try #require(certificate.at(name).double)
        let bounds = try #require(certificate.at("\(name)_interval").elements).compactMap(\.double)
        #expect(abs(value) <= 1 && bounds.count == 2 && bounds[0] < bounds[1], "\(name)")
      }
      let missed = certificate.at("missed")
      let (unverified, sampled, most) = (
        missed.at("unverified").int!, missed.at("sampled").int!, missed.at("at_most").int!
      )
      #expect(unverified == found.at("cells_ranked").int! - 6 && sampled == 12)
      #expect(most >= missed.at("exceeding").int! && most <= unverified)
      #expect(certificate.at("hit_threshold").double == found.at("hit_threshold").double)
      #expect(certificate.at("search_cost").double == 4)
      let ks = certificate.at("verified_recall").elements!.compactMap { $0.at("k").int }
      #expect(ks.first == 1 && ks.last == certificate.at("cells").int)
      let cells = try #require(found.at(direction, "cells").elements)
      #expect(cells.count == 18)
      for metric in ["logit-difference", "probability"] {
        let recovery = cells[0].at("recovery", metric)
        let (value, low, high) = (
          recovery.at("value").double!, recovery.at("low").double!, recovery.at("high").double!
        )
        #expect(low <= value && value <= high && low < high)
        let other = cells[0].at("wrong-item", metric, "value").double!
        let contrast = cells[0].at("contrast", metric, "value").double!
        #expect(abs(value - other - contrast) < 1e-9)
      }
      #expect(
        text.contains("\(direction): recovery of the logit difference, and of the probability"))
    }
    for word in ["Kendall", "over groups", "count as hits", "missed", "at most", "verified"] {
      #expect(text.contains(word), "\(word)")
    }
    #expect(!text.contains("too few groups"))
  }

  @Test func tooFewGroupsAreSaid() throws {
    _ = try bench.search("search.json", ["--split", "discovery", "--limit", "2"])
    let (found, text) = try bench.result(
      "confirm.json",
      ["confirm", "--search", bench.file("search.json"), "--top", "2", "--random", "4"])
    #expect(text.contains("too few groups for an interval: "))
    #expect(found.at("intervals").string!.contains("too few groups for an interval"))
    let cell = found.at("sufficiency", "cells").elements![0]
    #expect(cell.at("recovery", "logit-difference", "value").double != nil)
    #expect(cell.at("recovery", "logit-difference", "low") == .null)
    #expect(found.at("sufficiency", "certificate", "pearson_interval") == .null)
    #expect(found.at("sufficiency", "certificate", "pearson").double != nil)
  }

  @Test func aMapIsTestedCertifiedAndShifted() throws {
    // Each recording as its own other take, which changes nothing to the bit. Lists name recordings
    // from the current folder, or from the manifest's.
    let list = try JSON(
      parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: bench.manifest))), name: "pairs")
    let names = try #require(list.at("utterances").elements).compactMap { $0.at("file").string }
    let root = URL(fileURLWithPath: bench.folder).deletingLastPathComponent().path
    // Another take that is the same sound moves nothing, to the bit.
    let rows = try names.enumerated().map { i, name in
      let take = bench.file("take-\(i).flac")
      try FileManager.default.copyItem(atPath: "\(root)/\(name)", toPath: take)
      return "\(root)/\(name),\(take)"
    }
    try (["recording,other_take"] + rows).joined(separator: "\n").write(
      toFile: bench.file("takes.csv"), atomically: true, encoding: .utf8)
    let (found, text) = try bench.result(
      "map.json",
      [
        "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
        "--limit", "12", "--sites", "connector.out,lm.2.resid_post", "--windows", "time:240",
        "--text", "1", "--control", "--shift", "80", "--jitter", "20",
        "--other-takes", bench.file("takes.csv"),
      ])
    for direction in ["sufficiency", "necessity"] {
      let own = found.at(direction)
      let effects = own.at("recovery", "logit-difference").elements!.flatMap { $0.elements! }
      let p = own.at("significance", "p").elements!.flatMap { $0.elements! }
      #expect(effects.count == p.count)
      // Outside the family is what no pair has, or what is zero by structure.
      let family = zip(effects, p).count { ($0.double ?? 0) != 0 && $1 != .null }
      #expect(own.at("significance", "family").int == family && family > 1)
      for (effect, p) in zip(effects, p) where effect.double ?? 0 == 0 { #expect(p == .null) }
      #expect(own.at("certificate", "cells").int == family)
      #expect(own.at("certificate", "missed") == .null)
      let low = own.at("recovery_low", "probability").elements!.flatMap { $0.elements! }
      #expect(low.count == effects.count && low.contains { $0.double != nil })
      func largest(_ name: String) -> Double {
        own.at(name, "logit-difference").elements!.flatMap { $0.elements! }
          .compactMap(\.double).map(abs).max() ?? .nan
      }
      // The same sound later moves what the position carries; the source moves what was said.
      #expect(largest("control_shift") < 0.5 * largest("recovery"))
      #expect(largest("control_jitter") > 0.5 * largest("recovery"))
      #expect(own.at("control_jitter") != own.at("recovery"))
      #expect(largest("control_wrong-item") > 0)
      #expect(largest("control_other-take") == 0)
    }
    for word in ["max-T over", "less wrong item", "shift: largest", "jitter: largest", "Spearman"] {
      #expect(text.contains(word), "\(word)")
    }
    #expect(text.contains("recovery of logit-difference and of probability"))
  }

  /// Everything behind the last layer's last position is the answer, whatever the corruption.
  @Test func silenceAndNoiseAreCorruptions() throws {
    for corruption in ["silence", "noise:-20"] {
      let (found, text) = try bench.result(
        "map.json",
        [
          "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
          "--limit", "3", "--sites", "residual", "--windows", "whole", "--text", "1",
          "--corruption",
          corruption, "--control", "--shift", "40", "--fresh",
        ])
      #expect(found.at("corruption").string!.hasPrefix(corruption))
      #expect(text.contains("corruption \(found.at("corruption").string!)"))
      #expect(found.at("excluded_by_reason", "corrupt not answered").int == 0)
      for direction in ["sufficiency", "necessity"] {
        let map = found.at(direction, "recovery", "logit-difference").elements!
        #expect(abs(map.last!.elements!.last!.double! - 1) < 1e-6)
        let others = found.at(direction, "control_wrong-item", "logit-difference").elements!
          .flatMap { $0.elements! }
        // The silence of another item is the same silence.
        let hasOther = corruption != "silence" || direction == "sufficiency"
        #expect(others.contains { $0.double != nil } == hasOther)
      }
    }
    try bench.refuses(
      [
        "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--corruption", "pink",
        "--out", bench.file("x.json"),
      ], "\"pink\" is no corruption", "silence", "noise:0")
  }

  @Test func theTestSplitOpensUnderOnePreregistration() throws {
    _ = try bench.search("search.json", ["--split", "discovery", "--limit", "2"])
    func confirm(_ rules: String, _ more: String...) -> [String] {
      [
        "confirm", "--search", bench.file("search.json"), "--pairs", bench.manifest, "--split",
        "test", "--preregistration", rules, "--top", "1", "--random", "0", "--out",
        bench.file("confirm.json"),
      ] + more
    }
    let changed = bench.file("changed.json")
    let text = try String(contentsOfFile: Bench.rules, encoding: .utf8)
    try (text + "\n").write(toFile: changed, atomically: true, encoding: .utf8)
    try bench.refuses(confirm(bench.file("absent.json")), "--preregistration", "absent.json")
    try bench.refuses(
      confirm(bench.file("search.json")), "--preregistration", "\"minimumGap\" is missing")
    try bench.refuses(confirm(Bench.rules, "--minimum-gap", "3"), "--minimum-gap", "beforehand")
    let log = bench.file("evaluation.openings.tsv")
    #expect(!FileManager.default.fileExists(atPath: log))
    let (found, _) = try bench.result("confirm.json", confirm(Bench.rules).dropLast(2))
    #expect(found.at("openings").string == log && found.at("split").string == "test")
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 2 && lines[1].hasPrefix("test\t") && lines[1].hasSuffix("\ttap confirm"))
    #expect(lines[1].contains(try #require(found.at("preregistration", "sha256").string)))
    try bench.refuses(
      confirm(changed), "the split test was opened by tap confirm", "Restore that preregistration",
      "exploratory")
    #expect(try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n") == lines)
  }

  /// What is refused for its site or window has asked no pair, so that the split stays closed.
  @Test func aTypingErrorOpensNoSplit() throws {
    let rules = ["--preregistration", Bench.rules, "--out", bench.file("x.json")]
    for (verb, name) in [("map", "lm.9.resid_post"), ("search", "connector.in")] {
      try bench.refuses(
        [
          verb, "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "test",
          "--sites", name,
        ] + rules, name)
    }
    func subspace(_ site: String) -> [String] {
      [
        "subspace", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--fit-split",
        "validation", "--test-split", "test", "--site", site,
      ] + rules
    }
    try bench.refuses(subspace("lm.9.resid_post@changed"), "lm.9.resid_post")
    try bench.refuses(subspace("connector.out@change"), "change")
    #expect(!FileManager.default.fileExists(atPath: bench.file("evaluation.openings.tsv")))
  }

  @Test func aPatchHasItsControls() throws {
    let (base, source) = (Bench.recording("kal/a-bat"), Bench.recording("kal/a-pat"))
    // The same sound as another take, which moves nothing.
    let take = bench.file("take.flac")
    try FileManager.default.copyItem(atPath: base, toPath: take)
    let ran = try tap([
      "patch", "--model", Bench.checkpoint, "--base", base, "--source", source, "--prompt",
      "which thing:", "--answer", "pat", "--foil", "bat", "--site", "connector.out@560ms..680ms",
      "--control", "--wrong-item", Bench.recording("kal/a-cup"), "--other-take", take,
      "--preregistration", Bench.rules, "--json",
    ])
    try #require(ran.status == 0, "\(ran.err)")
    let found = try JSON(parsing: ran.out, name: "patch")
    let controls = Dictionary(
      uniqueKeysWithValues: found.at("controls").elements!.map { ($0.at("name").string!, $0) })
    #expect(
      controls.keys.sorted() == [
        "jitter 20 ms", "other take", "position-sham", "random-direction", "shift 80 ms",
        "wrong-item",
      ])
    // The base recording as its own other take changes nothing, to the bit.
    #expect(controls["other take"]!.at("recovery", "logit-difference").double == 0)
    let recovery = abs(found.at("recovery", "logit-difference").double!)
    #expect(abs(controls["shift 80 ms"]!.at("recovery", "logit-difference").double!) < recovery)
    #expect(controls["jitter 20 ms"]!.at("recovery") == .null)
    #expect(controls["jitter 20 ms"]!.at("expected").string!.contains("give TextGrids"))
    // Base, source, three other runs, the patch and its five controls.
    #expect(found.at("cost", "forwards").double == 11)
    #expect(found.at("preregistration", "sha256").string?.count == 64)
  }

  @Test func trainedSubspacesHaveTheirControls() throws {
    let (found, text) = try bench.result(
      "das.json",
      [
        "subspace", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--site",
        "lm.2.resid_post@-1", "--method", "das", "--k", "2", "--limit", "4", "--draws", "0",
        "--orders", "0",
      ])
    let controls = found.at("reports").elements![0].at("alignment_controls").elements!
    #expect(controls.count == 1 && controls[0].at("k").int == 2)
    for name in ["answer_follows", "permuted_answers", "random_weights"] {
      for part in ["fitted", "held_out"] {
        #expect((0...1).contains(controls[0].at(name, part).double ?? -1), "\(name) \(part)")
      }
    }
    #expect(text.contains("permuted answers") && text.contains("random weights"))
    #expect(found.at("cost", "backwards").double! > 0 && text.contains("backwards"))
    #expect(found.at("corruption").string == "paired")
  }
}
