// Pairs, boundaries, windows and words that are not what they should be, by the verbs that read them.

import Foundation
import JSON
import Testing

@Suite struct BadPairTests {
  let bench: Bench
  private let base = Bench.recording("kal/a-bat")
  private let source = Bench.recording("kal/a-pat")

  init() throws { bench = try Bench() }

  /// A TextGrid of two intervals in seconds.
  private func grid(_ name: String, _ first: (Double, Double), _ second: (Double, Double)) throws
    -> String
  {
    try """
    "ooTextFile" "TextGrid" 0 3 <exists> 1 "IntervalTier" "phones" 0 3 2
    \(first.0) \(first.1) "\(name)" \(second.0) \(second.1) "t"
    """.write(toFile: bench.file("\(name).TextGrid"), atomically: true, encoding: .utf8)
    return bench.file("\(name).TextGrid")
  }

  @Test func boundariesOfPatch() throws {
    let good = try grid("p", (0, 0.6), (0.6, 1))
    func patch(_ base: String, _ source: String) -> [String] {
      [
        "patch", "--model", Bench.checkpoint, "--base", self.base, "--source", self.source,
        "--prompt", "which thing:", "--answer", "pat", "--foil", "bat", "--site", "connector.out",
        "--alignment", "segments", "--base-textgrid", base, "--source-textgrid", source,
      ]
    }
    #expect(try tap(patch(good, good)).status == 0)
    let overlapping = try grid("b", (0.56, 0.85), (0.7, 1))
    let late = try grid("d", (0, 0.6), (0.6, 2.5))
    for grids in [(overlapping, good), (good, overlapping)] {
      try bench.refuses(
        patch(grids.0, grids.1), "\(overlapping): ",
        "\"b\" (560 ms to 850 ms) and \"t\" (700 ms to 1000 ms) overlap")
    }
    for grids in [(late, good), (good, late)] {
      try bench.refuses(
        patch(grids.0, grids.1), "\(late): ", "\"t\" (600 ms to 2500 ms) ends",
        "behind the recording")
    }
  }

  /// A list that was edited by hand.
  @Test func boundariesOfLists() throws {
    func list(_ segments: String) throws -> [String] {
      try """
      {"pairs": [{"id": "i", "group": "g", "audio_clean": "\(source)", "audio_corrupt": "\(base)",
        "prompt": "which thing:", "answer": "pat", "foil": "bat", "segments_clean": \(segments),
        "segments_corrupt": [["b", 0, 600], ["t", 600, 1000]]}]}
      """.write(toFile: bench.file("list.json"), atomically: true, encoding: .utf8)
      return [
        "map", "--model", Bench.checkpoint, "--pairs", bench.file("list.json"), "--sites",
        "connector.out", "--windows", "whole", "--text", "0", "--exact-only", "--out",
        bench.file("map.json"),
      ]
    }
    #expect(try tap(list("[[\"p\", 0, 600], [\"t\", 600, 1000]]")).status == 0)
    try bench.refuses(
      list("[[\"p\", 0, 600], [\"t\", 500, 1000]]"), "list.json: pair i: \"segments_clean\"",
      "overlap")
    try bench.refuses(
      list("[[\"p\", 0, 600], [\"t\", 600, 9000]]"), "pair i: ", "behind the recording")
  }

  @Test func windowsOfGrids() throws {
    func grid(_ verb: String, _ sites: String, _ more: String...) -> [String] {
      [
        verb, "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
        "--limit", "1", "--sites", sites, "--out", bench.file("x.json"),
      ] + more
    }
    for verb in ["map", "search"] {
      for width in ["1e-300", "1e-9", "0.001", "39.9"] {
        try bench.refuses(
          grid(verb, "connector.out", "--windows", "time:\(width)"), "narrower than any position",
          "stand for 40 ms; write time:40 or wider")
      }
      // The encoder's positions are finer.
      try bench.refuses(
        grid(verb, "connector.out,encoder.embed", "--windows", "time:19"),
        "write time:20 or wider")
      try bench.refuses(
        grid(verb, "lm.0.resid_post", "--text", "1000000000"), "--text 1000000000: the text has ",
        "give no more")
    }
    #expect(
      try tap(grid("search", "connector.out", "--method", "attribution", "--windows", "time:40"))
        .status == 0)
    // confirm takes the windows from the search's file.
    let path = bench.file("x.json")
    var found = try JSON(parsing: String(contentsOfFile: path, encoding: .utf8), name: "x").members!
    found["windows"] = "time:0.001"
    try JSON.object(found).text.write(toFile: path, atomically: true, encoding: .utf8)
    try bench.refuses(
      ["confirm", "--search", path, "--top", "1", "--random", "0", "--out", bench.file("y.json")],
      "write time:40 or wider")
  }

  /// What `tap patch` refuses, the verbs whose windows follow the pair refuse too.
  @Test func windowsReachNoFurtherThanTheSound() throws {
    func subspace(_ window: String) -> [String] {
      [
        "subspace", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--site",
        "connector.out@\(window)", "--limit", "2", "--k", "1", "--draws", "0", "--orders", "0",
        "--out", bench.file("x.json"),
      ]
    }
    func scrub(_ window: String) throws -> [String] {
      try """
      {"name": "x", "parents": [{"site": "connector.out", "window": "\(window)", "feature": "answer"}]}
      """.write(toFile: bench.file("claim.json"), atomically: true, encoding: .utf8)
      return [
        "scrub", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
        "--limit", "20", "--hypothesis", bench.file("claim.json"), "--draws", "1",
      ]
    }
    let patch = [
      "patch", "--model", Bench.checkpoint, "--base", base, "--source", source, "--prompt",
      "which thing:", "--answer", "pat", "--foil", "bat", "--site", "connector.out@0ms..90000ms",
    ]
    for window in ["changed+90000ms", "0ms..90000ms"] {
      try bench.refuses(subspace(window), "reaches past the sound", "pair ")
      let ran = try tap(scrub(window))
      #expect(ran.status > 0 && ran.err.contains("reaches past the sound"), "\(ran.err)")
    }
    try bench.refuses(patch, "reaches past the sound")
    #expect(try tap(subspace("changed+40ms")).status == 0)
    #expect(try tap(scrub("changed+40ms")).status == 0)
  }

  @Test func tablesOfSpreadsheets() throws {
    func pairs(_ text: String) throws -> Ran {
      try text.write(toFile: bench.file("t.csv"), atomically: true, encoding: .utf8)
      return try tap(["pairs", "--table", bench.file("t.csv"), "--out", bench.file("t.json")])
    }
    let ran = try pairs(
      "\u{FEFF}audio_clean;audio_corrupt;prompt;answer;foil;heard by\r\n"
        + "\(source);\(base);which thing:;pat;bat;Ada\r\n")
    #expect(ran.status == 0 && ran.out.hasPrefix("1 pairs in 1 groups"), "\(ran.err)")
    #expect(ran.err.contains("the columns \"heard by\" are not known and are kept as notes"))
    let list = try String(contentsOfFile: bench.file("t.json"), encoding: .utf8)
    #expect(
      try JSON(parsing: list, name: "list")["pairs"]?.elements?[0]["notes"] == ["heard by": "Ada"])
    let lacking = try pairs("audio_clean\taudio_corrupt\tprompt\tanswer\n")
    #expect(lacking.status > 0 && lacking.err.contains("lacks the column \"foil\""))
    #expect(lacking.err.contains("read as separated by tabs"), "\(lacking.err)")
  }

  /// A message repeats the beginning of a long word, and of a long path or line both ends.
  @Test func longWords() throws {
    let long = String(repeating: "x", count: 20_000)
    let broken = try Broken()
    func asking(_ verb: String, _ more: String...) -> [String] {
      [verb, "--model", broken.folder, "--audio", broken.audio] + more
    }
    let patch = [
      "patch", "--model", Bench.checkpoint, "--base", base, "--source", source, "--prompt",
      "which thing:", "--answer", "pat", "--foil", "bat", "--site",
    ]
    for (arguments, words) in [
      (asking("logits", "--prompt", long), "does not know: \"\(long.prefix(60))…\" (20000 char"),
      (asking("logits", "--prompt-ids", long), "--prompt-ids: \"xxx"),
      (asking("generate", "--prompt", "a", "--language", long), "the language \"xxx"),
      (asking("generate", "--prompt", "a", "--limit", long), "is invalid for '--limit"),
      (patch + [long], "…\" (20000 characters) is no site"),
      (patch + ["connector.\(long)"], "the model has no site connector.xxx"),
      (patch + ["connector.out@\(long)"], "…\" (20000 characters) is no window"),
      (["inspect", "--model", long], "config.json: cannot be opened"),
      (
        [
          "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--out",
          bench.file("x.json"), "--split", long,
        ], "has no split \"xxx"
      ),
      (
        [
          "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--out",
          bench.file("x.json"), "--corruption", long,
        ], "is no corruption"
      ),
      (
        [
          "subspace", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--site",
          "connector.out", "--k", long,
        ], "is not a number"
      ),
    ] {
      let ran = try tap(arguments)
      #expect(
        ran.status > 0 && ran.out.isEmpty && ran.err.contains(words), "\(ran.err.prefix(2000))")
      #expect(ran.err.utf8.count < 6000, "\(words): \(ran.err.utf8.count)")
    }
  }
}
