// `tap` on a language model without sound: what it takes, and what it refuses.

import Foundation
import JSON
import Testing

@Suite struct TextModelCommandTests {
  let folder = Broken.root.appendingPathComponent("Tests/SpeechTests/Fixtures/gguf/model").path

  func read(_ arguments: [String]) throws -> JSON {
    let ran = try tap(arguments + ["--model", folder, "--json"])
    #expect(ran.status == 0 && ran.err.isEmpty, "\(ran.err)")
    return try JSON(parsing: ran.out, name: "out")
  }

  func refuses(_ arguments: [String], _ words: String...) throws {
    let ran = try tap(arguments)
    #expect(ran.status > 0 && ran.out.isEmpty, "\(ran.out)")
    for word in words { #expect(ran.err.contains(word), "\(ran.err)") }
  }

  @Test func threeVerbsTakeIt() throws {
    let expected = try readGolden()
    let prompt = try expected.array("prompt").compactMap(\.int)
    let inspected = try read(["inspect"])
    #expect(inspected["architecture"] == "Qwen2" && inspected["opens"] == true)
    #expect(inspected["absent_files"] == [] && inspected["missing"] == [])
    let question = try expected.string("question")
    let asked = try read(["logits", "--prompt", question, "--top", "1", "--all"])
    #expect(asked["positions"]?.int == prompt.count)
    let last = try expected.array("logits").last!.elements!.compactMap(\.double)
    let own = try asked.array("logits").compactMap(\.double)
    #expect(own.count == last.count && zip(own, last).allSatisfy { abs($0 - $1) < 1e-4 })
    let ids = prompt.map(String.init).joined(separator: ",")
    #expect(try read(["logits", "--prompt-ids", ids, "--top", "1", "--all"]) == asked)
    #expect(
      try read(["logits", "--prompt", question, "--plain"])["positions"] != asked["positions"])
    let said = try read(["generate", "--prompt", question, "--limit", "12"])
    #expect(said["tokens"] == expected["said"])
  }

  private func readGolden() throws -> JSON {
    let file = URL(fileURLWithPath: folder).deletingLastPathComponent()
      .appendingPathComponent("expected.json")
    return try JSON(parsing: Array(try Data(contentsOf: file)), name: "expected.json")
  }

  @Test func soundAndOtherVerbsAreRefused() throws {
    let broken = try Broken()
    let model = ["--model", folder]
    try refuses(
      ["generate", "--prompt", "a", "--audio", broken.audio] + model,
      "\(folder) is a language model without sound; leave --audio out")
    try refuses(["logits"] + model, "give --prompt or --prompt-ids")
    try refuses(["logits", "--prompt", "a", "--chat"] + model, "leave --chat out")
    try refuses(["logits", "--prompt-ids", "1", "--plain"] + model, "--plain says nothing")
    try refuses(
      ["logits", "--prompt-ids", "1,9999"] + model, "token 9999 of the prompt is outside")
    try refuses(
      [
        "patch", "--base", broken.audio, "--source", broken.audio, "--prompt", "a", "--answer", "b",
        "--foil", "c", "--site", "lm.0.resid_pre",
      ] + model, "\(folder): is a language model without sound", "take a speech language model")
    let spoken = ["--model", broken.folder, "--prompt", "first thing:"]
    try refuses(["generate"] + spoken, "give --audio, the recording that \(broken.folder)")
    try refuses(
      ["generate", "--audio", broken.audio, "--plain"] + spoken, "leave --plain out")
  }
}
