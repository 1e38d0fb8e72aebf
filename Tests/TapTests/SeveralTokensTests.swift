// Answers of several tokens by `tap patch`, `search`, `map` and `confirm` on the golden folders of
// Whisper and Moshi, to which a tokenizer of plain words is added.

import Foundation
import JSON
import Testing

@Suite struct SeveralTokensTests {
  @Test(arguments: [
    ("whisper", "w49 w9 w8", "w81 w7", "encoder.0.resid_post,decoder.*.resid_post,cross"),
    ("moshi", "w9 w8 w11", "w27 w7", "connector,lm.*.resid_post,lm.1.attn.z[*]"),
  ])
  func mapsAndSearches(_ name: String, _ answer: String, _ foil: String, _ sites: String) throws {
    let worded = try Worded(
      name, words: name == "whisper" ? 131 : 37,
      named: name == "whisper"
        ? [100: "<|startoftranscript|>", 103: "<|startofprev|>", 105: "<|notimestamps|>"] : [:])
    // Its vocabulary has no tokens of languages.
    try worded.write("model/generation_config.json", "{\"is_multilingual\": false}")
    let (model, folder) = (worded.model, worded.folder)
    let list = "\(folder)/pairs.json"
    try worded.write(
      "table.csv",
      "audio_clean,audio_corrupt,prompt,answer,foil\n"
        + "\(model)/base.wav,\(model)/source.wav,w5,\(answer),\(foil)\n")
    #expect(try tap(["pairs", "--table", "\(folder)/table.csv", "--out", list]).status == 0)
    let common = ["--pairs", list, "--minimum-gap", "0.1", "--sites", sites]
    func measured(_ file: String, _ arguments: [String]) throws -> JSON {
      let ran = try tap(
        arguments + ["--model", model] + common + ["--out", "\(folder)/\(file)"])
      try #require(ran.status == 0, "\(ran.err)")
      return try worded.read(file)
    }
    let map = try measured("map.json", ["map", "--metric", "sequence"])
    let plain = try measured("plain.json", ["map", "--plain"])
    for direction in ["sufficiency", "necessity"] {
      #expect(map[direction] == plain[direction])
      let recovery = try #require(map[direction]?["recovery"])
      let (whole, first) = (
        try #require(recovery["sequence"]?.elements),
        try #require(recovery["logit-difference"]?.elements)
      )
      func shares(_ table: [JSON]) -> [Double] {
        table.flatMap { $0.elements?.compactMap(\.double) ?? [] }
      }
      #expect(shares(whole).count == shares(first).count)
      #expect(shares(whole).count { abs($0) > 1e-3 } > 20)
      #expect(shares(whole) != shares(first))
    }
    let search = try measured("search.json", ["search", "--method", "attribution"])
    #expect(search["rows"] == map["rows"] && search["columns"] == map["columns"])
    let confirmed = try tap([
      "confirm", "--search", "\(folder)/search.json", "--top", "2", "--random", "2", "--out",
      "\(folder)/confirmed.json",
    ])
    #expect(confirmed.status == 0, "\(confirmed.err)")
    let cells = try #require(
      try worded.read("confirmed.json")["sufficiency"]?["cells"]?.elements)
    #expect(cells.contains { $0["recovery"]?["sequence"]?["value"]?.double != nil })
  }

  /// One cell, with what the answers share forced, and what is said of it.
  @Test(arguments: [
    ("whisper", "100,5,105", "encoder.1.resid_post@80ms..200ms", ""),
    (
      "moshi", "5,3", "connector.out@2..9",
      "a token a frame from the recording's last frame on, while both voices are silent"
    ),
  ])
  func patches(_ name: String, _ prompt: String, _ site: String, _ note: String) throws {
    let folder = Broken.root.appendingPathComponent("Tests/SpeechTests/Fixtures/\(name)").path
    func patched(_ more: String...) throws -> JSON {
      let ran = try tap(
        [
          "patch", "--model", folder, "--base", "\(folder)/base.wav", "--source",
          "\(folder)/source.wav", "--prompt-ids", prompt, "--answer", "6,11,12,4,8", "--foil",
          "6,11,17,9", "--site", site, "--alignment", "linear", "--json",
        ] + more)
      try #require(ran.status == 0, "\(ran.err)")
      #expect(ran.err.contains("share 2 first tokens, which are teacher-forced"))
      #expect(
        ran.err.contains(
          "whole answers are scored as the sequence metric\(note.isEmpty ? "\n" : "; ")"))
      #expect(note.isEmpty || ran.err.contains(note))
      return try JSON(parsing: Array(ran.out.utf8), name: "tap patch")
    }
    let (found, plain) = (try patched(), try patched("--plain"))
    #expect(found["patched"] == plain["patched"])
    let (base, source, after) = (
      found["base_run"]?["sequence"]?.double, found["source_run"]?["sequence"]?.double,
      found["patched"]?["sequence"]?.double
    )
    #expect(try abs(#require(after) - #require(base)) > 1e-3)
    #expect(try abs(#require(source) - #require(base)) > 1e-3)
  }

  @Test func whatARecogniserWritesOtherwiseIsSaid() throws {
    let worded = try Worded(
      "whisper", words: 131, named: [100: "<|startoftranscript|>", 105: "<|notimestamps|>"])
    try worded.write(
      "model/generation_config.json",
      "{\"is_multilingual\": false, \"suppress_tokens\": [100, 105]}")
    let said = try tap([
      "generate", "--model", worded.model, "--audio", "\(worded.model)/base.wav", "--limit", "3",
    ]).out.split(whereSeparator: \.isWhitespace).map(String.init)
    let own = try #require(said.first { $0.hasPrefix("w") })
    let other = own == "w5" ? "w6" : "w5"
    func noted(_ answer: String, _ foil: String) throws -> String {
      try worded.write(
        "table.csv",
        "audio_clean,audio_corrupt,prompt,answer,foil\n"
          + "\(worded.model)/base.wav,\(worded.model)/source.wav,,\(answer),\(foil)\n")
      let ran = try tap([
        "pairs", "--table", "\(worded.folder)/table.csv", "--model", worded.model, "--out",
        "\(worded.folder)/pairs.json",
      ])
      #expect(ran.status == 0, "\(ran.err)")
      return ran.err
    }
    #expect(try noted(other, own).contains("the list forces \"\(other)\""))
    #expect(try !noted(own, other).contains("the list forces"))
  }
}
