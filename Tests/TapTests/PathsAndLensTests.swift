// `tap paths` and `tap lens` on the shipped checkpoint, against the verbs that ask the same in another way,
// and what they refuse.

import Foundation
import JSON
import Testing

@Suite struct PathsAndLensTests {
  let said = Broken.root.appendingPathComponent("artifacts/evaluation/kal").path
  var asked: [String] { ["--model", Bench.checkpoint, "--prompt", "which thing:"] }
  var pair: [String] {
    asked + [
      "--base", "\(said)/a-bat.flac", "--source", "\(said)/a-pat.flac", "--answer", "pat", "--foil",
      "bat",
    ]
  }

  private func read(_ arguments: [String]) throws -> JSON {
    let ran = try tap(arguments + ["--json"])
    try #require(ran.status == 0, "\(ran.err)")
    return try JSON(parsing: Array(ran.out.utf8), name: "out")
  }

  private func refuses(_ arguments: [String], _ words: String) throws {
    let ran = try tap(arguments)
    #expect(ran.status > 0 && ran.out.isEmpty, "\(ran.out)")
    #expect(ran.err.contains(words), "\(ran.err)")
  }

  @Test func pathsBeginWithWhatAPatchDoes() throws {
    let site = "connector.out@560ms..680ms"
    let found = try read(["paths", "--sender", site, "--wrong-item", "\(said)/a-cap.flac"] + pair)
    let sender = try #require(found["senders"]?.elements?.first)
    let patched = try read(["patch", "--site", site] + pair)
    let effects = try #require(sender["effects"])
    #expect(effects["whole"] == patched["effect"] && sender["positions"] == [14, 15, 16])
    #expect(sender["own_value"]?.double == 0 && sender["receivers_are_all"] == true)
    let through = try #require(effects["through"]?.elements).map { try $0.at("effect").double! }
    #expect(through.count == 20)
    let direct = try #require(effects["logits"]?.double)
    #expect(abs(through.reduce(direct, +) - effects["sum"]!.double!) < 1e-9)
    // The controls are runs of their own, and weaker.
    let whole = try #require(effects["whole"]?.double)
    for control in ["random_direction", "wrong_item"] {
      let other = try #require(sender[control]?["whole"]?.double)
      #expect(other != 0 && abs(other) < abs(whole), "\(control) \(other)")
    }
  }

  @Test func oneReceiverIsTheSameAlone() throws {
    let sender = ["--sender", "lm.0.mlp.out@sound"]
    let all = try read(["paths"] + sender + pair)
    let one = try read(["paths", "--receiver", "lm.3.attn.v"] + sender + pair)
    func effect(_ found: JSON) throws -> Double? {
      try found.at("senders").elements?[0].at("effects", "through").elements?
        .first { $0["receiver"] == "lm.3.attn.v" }?["effect"]?.double
    }
    let value = try #require(try effect(one))
    #expect(value == (try effect(all)) && value != 0)
    let alone = try one.at("senders").elements?[0]
    #expect(alone?["receivers_are_all"] == false && alone?["effects"]?["sum"]?.double == nil)
  }

  @Test func theLensEndsWithWhatIsSaid() throws {
    let sound = ["--audio", "\(said)/a-pat.flac"]
    let found = try read(
      ["lens", "--other", "\(said)/a-bat.flac", "--answer", "pat", "--foil", "bat"] + sound + asked)
    let lens = try #require(found["lens"]?.elements)
    #expect(lens.count == 6 && found["layers"] == 5 && found["said"]?["text"] == "pat")
    let logits = try read(["logits", "--top", "1"] + sound + asked)
    let top = try #require(logits["top"]?.elements?.first)
    #expect(abs(lens[5]["probability"]!.double! - top["probability"]!.double!) < 1e-6)
    #expect(lens[5]["said_rank"] == 1 && lens[0]["said_rank"] != 1)
    // What the other recording's stream says in the end is another word.
    #expect(lens[5]["said_rank_in_other"]!.int! > 1)
    let patched = try read(["patch", "--site", "connector.out@sound"] + pair)
    let source = try #require(patched["source_run"]?["logit-difference"]?.double)
    #expect(abs(lens[5]["logit_difference"]!.double! - source) < 1e-4)
    // Without answers the two strongest tokens are compared.
    let bare = try read(["lens"] + sound + asked)
    #expect(bare["lens"]?.elements?[5]["logit_difference"]?.double ?? 0 > 0)
    #expect(bare["settled_layer"] == found["settled_layer"])
  }

  @Test func badInputIsSaid() throws {
    let paths = ["paths"] + pair
    try refuses(paths + ["--sender", "lm.0.resid_post"], "is not what a component writes")
    try refuses(
      paths + ["--sender", "lm.3.mlp.out", "--receiver", "lm.1.attn.q"], "is computed before")
    try refuses(
      paths + ["--sender", "connector.out", "--receiver", "lm.1.resid_post"], "is not what a head")
    try refuses(paths + ["--sender", "connector.out@90000ms..90080ms"], "the sound")
    try refuses(paths + ["--sender", "nothing.out"], "nothing")
    try refuses(paths + ["--sender", "connector.out", "--top", "0"], "--top should be")
    try refuses(
      ["lens", "--audio", "\(said)/none.flac"] + asked, "none.flac")
    try refuses(
      ["lens", "--audio", "\(said)/a-pat.flac", "--answer", "pat"] + asked, "--answer and --foil")
  }
}
