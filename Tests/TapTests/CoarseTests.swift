// `tap map --coarse` and `--dry-run` on the shipped checkpoint: what is patched is what the full map has, what
// is skipped is small, and a forecast counts what then runs.

import Foundation
import JSON
import Testing

@Suite struct CoarseTests {
  let bench: Bench

  init() throws { bench = try Bench() }

  private func map(_ more: [String]) -> [String] {
    [
      "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
      "--limit", "3", "--sites", "residual", "--exact-only",
    ] + more
  }

  private func recoveries(_ map: JSON, _ direction: String) throws -> [[Double?]] {
    try #require(map.at(direction, "recovery", "logit-difference").elements).map {
      try #require($0.elements).map(\.double)
    }
  }

  @Test func whatIsPatchedIsTheFullMaps() throws {
    let (full, _) = try bench.result("full.json", map([]))
    let (coarse, text) = try bench.result("coarse.json", map(["--coarse", "--sample", "9"]))
    #expect(full["coarse"] == nil && text.contains("coarse to fine, necessity"))
    for direction in ["sufficiency", "necessity"] {
      let (all, some) = (try recoveries(full, direction), try recoveries(coarse, direction))
      let said = coarse.at("coarse", direction)
      let there = all.joined().count { $0 != nil }
      let patched = some.joined().count { $0 != nil }
      #expect(said.at("cells").int == there && said.at("patched").int == patched)
      #expect(patched < there && patched + said.at("blocks").int! < there)
      var skipped = 0
      for (a, b) in zip(all.joined(), some.joined()) {
        // Of what is patched the bits are the full map's, whatever it was patched with.
        if let b { #expect(a == b) }
        if b == nil, let a {
          skipped += 1
          #expect(abs(a) < 0.1, "\(a) is of the hit size and was skipped")
        }
      }
      let drawn = try #require(said.at("drawn").elements).count
      #expect(said.at("skipped").int == skipped + drawn && drawn > 0)
      #expect(said.at("missed", "exceeding").int == 0)
      #expect(said.at("missed", "at_most").int! < said.at("skipped").int!)
      #expect(try #require(said.at("parts_of_splits").elements).count > 1)
      let sizes: [Double] = all.joined().map { abs($0 ?? 0) }
      let found: [Bool] = some.joined().map { $0 != nil }
      let strongest = sizes.indices.sorted { sizes[$0] > sizes[$1] }.prefix(20)
      for place in strongest { #expect(found[place], "cell \(place) of \(sizes[place])") }
    }
  }

  @Test func anInterruptedCoarseMapGoesOnAndSoundOfASecondIsPatchedWhole() throws {
    let coarse = map(["--coarse", "--sample", "9"])
    let limited = try tap(
      coarse + ["--out", bench.file("again.json")],
      after: "(sleep 1.2; pkill -KILL -f 'tap map.*again.json') &")
    #expect(limited.status != 0)
    let (again, _) = try bench.result("again.json", coarse)
    let (once, _) = try bench.result("once.json", coarse)
    #expect(again == once)
    let (whole, text) = try bench.result("whole.json", map(["--coarse", "--windows", "whole"]))
    #expect(whole.at("coarse", "none").string?.contains("every cell") == true)
    #expect(text.contains("every cell is patched"))
    #expect(try recoveries(whole, "sufficiency").joined().contains { $0 != nil })
  }

  /// Blocks with as many drawn cells as usual would be more than a quarter of this map.
  @Test func whatSavesLittleIsAFullMap() throws {
    let (full, _) = try bench.result("full.json", map([]))
    let (coarse, text) = try bench.result("coarse.json", map(["--coarse"]))
    let reason = try #require(coarse.at("coarse", "none").string)
    #expect(reason.contains("would save little") && text.contains(reason))
    for direction in ["sufficiency", "necessity"] {
      #expect(try recoveries(full, direction) == recoveries(coarse, direction))
    }
    #expect(full.at("map_cost", "forwards") == coarse.at("map_cost", "forwards"))
    let forecast = try tap(map(["--coarse", "--dry-run", "--out", bench.file("none.json")]))
    #expect(forecast.out.contains(reason), "\(forecast.out)")
  }

  @Test func badRequestsAreRefused() throws {
    let out = ["--out", bench.file("bad.json")]
    try bench.refuses(map([]), "--out is missing")
    try bench.refuses(map(["--split-at", "0.1"] + out), "--split-at", "--coarse")
    try bench.refuses(map(["--coarse", "--split-at", "0"] + out), "--split-at", "above 0")
    try bench.refuses(map(["--coarse", "--sample", "0"] + out), "--sample", "above 0")
    try bench.refuses(map(["--coarse", "--shard", "1/2"] + out), "--coarse", "--shard")
    try bench.refuses(
      ["submit", "--slurm", "--tasks", "2", "--"] + map(["--coarse"] + out), "--coarse", "submit")
  }

  /// Passes are counted to the last one where every pair enters; nothing is written.
  @Test func aForecastCountsWhatThenRuns() throws {
    let options = ["--control", "--direction", "both", "--json"]
    let arguments = [
      "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
      "--limit", "3", "--sites", "residual,lm.*.attn.z[*]", "--minimum-gap", "0",
    ]
    let files = try FileManager.default.contentsOfDirectory(atPath: bench.folder)
    let ran = try tap(arguments + options + ["--dry-run"])
    try #require(ran.status == 0, "\(ran.err)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder) == files)
    let forecast = try JSON(parsing: Array(ran.out.utf8), name: "forecast")
    let made = try tap(arguments + options + ["--out", bench.file("made.json")])
    try #require(made.status == 0, "\(made.err)")
    let found = try JSON(parsing: Array(made.out.utf8), name: "map")
    try #require(found.at("pairs_kept").elements?.count == 3)
    #expect(forecast.at("forwards").double == found.at("cost", "forwards").double)
    #expect(forecast.at("backwards").double == found.at("cost", "backwards").double)
    let bytes = try FileManager.default.attributesOfItem(atPath: bench.file("made.json"))[.size]
    let size = try #require((bytes as? NSNumber)?.doubleValue)
    #expect(abs(forecast.at("result_bytes").double! / size - 1) < 0.2, "\(size)")
    let peak = found.at("cost", "peak_mebibytes").double!
    #expect(abs(forecast.at("peak_mebibytes").double! / peak - 1) < 0.2, "\(peak)")
    #expect(forecast.at("operations").double! > 1e9 && forecast.at("seconds").double! > 0)
    let text = try tap(arguments + ["--dry-run", "--coarse", "--out", bench.file("none.json")])
    #expect(text.out.contains("--coarse") && text.out.contains("nothing was written"))
  }

  @Test func aForecastOfTheTestSplitOpensNothing() throws {
    let ran = try tap([
      "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "test", "--limit",
      "1", "--preregistration", Bench.rules, "--exact-only", "--dry-run", "--out",
      bench.file("none.json"),
    ])
    #expect(ran.status == 0, "\(ran.err)")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: bench.folder) == ["evaluation.json"])
  }
}
