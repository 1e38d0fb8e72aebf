// The names of cells: what is written reads back, and what cannot be is an error that says why.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

@Suite struct CellTests {
  @Test(arguments: [
    "encoder.3.attn.z[5]", "lm.0.mlp.post[17]@3..5", "connector.out@120ms..240ms",
    "lm.2.resid_post@0.5ms..1200ms", "lm.4.attn.pattern[2]@-4..-1", "decoder.1.cross.v@7",
    "mimi.tr.0.resid_post@-1", "lm.embed@text", "lm.embed@text:-4..", "lm.embed@text:-2",
    "lm.embed@text:-1", "encoder.embed@sound", "lm.1.resid_pre@0..", "lm.1.resid_pre@-3..",
  ]) func namesReadBack(_ name: String) throws {
    let cell = try Cell(name)
    #expect("\(cell)" == name)
    #expect(try Cell("\(cell)") == cell)
  }

  @Test func partsAreRead() throws {
    let cell = try Cell("encoder.3.attn.z[5]@120ms..240ms")
    #expect(cell == Cell(Site(.encoder, 3, .z), index: 5, .milliseconds(120, 240)))
    #expect(try Cell("lm.embed@..4").window == .positions(0, 4))
    #expect(try Cell("lm.embed@-1").window == .positions(-1, nil))
    #expect(try Cell("lm.embed").window == .all)
  }

  @Test(arguments: [
    "", "lm", "lm.embed[", "lm.embed[-1]", "lm.embed[x]", "lm.embed@", "lm.embed@a..b",
    "lm.embed@1..2..3", "lm.embed@3ms..", "lm.embed@3ms..5", "lm.embed@nanms..5ms", "@3..5",
    "lm.embed[1][2]",
  ]) func badNamesAreErrors(_ name: String) {
    #expect(throws: CellError.self) { try Cell(name) }
  }

  @Test func unknownSitesNameTheirNeighbours() throws {
    let small = Small()
    func message(_ site: String) -> String {
      do {
        _ = try small.model.trace(small.question, keeping: [Site(site)!])
        return ""
      } catch { return "\(error)" }
    }
    #expect(message("lm.9.resid_post").contains("near it are lm.0.resid_post"))
    #expect(message("lm.1.resid_pots").contains("near it are lm.1.resid_post"))
    #expect(message("encoder.0.attn.zz").contains("lm.0..2.{resid_pre"))
    #expect(message("encoder.0.attn.z").isEmpty)
  }

  /// Windows past the end, empty ones and indices that are not there say what is.
  @Test func windowsAreChecked() throws {
    let small = Small(frames: 61)
    let trace = try small.model.trace(small.question)
    func message(_ name: String) -> String {
      do {
        let cell = try Cell(name)
        let spans = try trace.place(of: cell.site).spans
        let found = try cell.window.checked(in: spans, of: cell.name)
        #expect(found == cell.window.positions(in: spans))
        _ = try trace.rows(of: cell, at: found)
        return ""
      } catch { return "\(error)" }
    }
    #expect(message("connector.out@3..5").isEmpty)
    #expect(message("connector.out@0ms..610ms").isEmpty)
    #expect(message("connector.out@3..99").contains("15 positions"))
    #expect(message("connector.out@5..5").contains("empty"))
    #expect(message("connector.out@200ms..100ms").contains("empty"))
    #expect(message("connector.out@0ms..900ms").contains("ends at 590 ms"))
    #expect(message("connector.out@52ms..53ms").contains("15 of them, from 10 ms to 570 ms"))
    #expect(message("connector.out@text").contains("no positions of text"))
    #expect(message("lm.embed@text:-9").contains("5 positions of text"))
    #expect(message("lm.embed[24]").contains("24 neurons"))
    #expect(message("lm.1.attn.z").contains("has not kept"))
    let kept = try small.model.trace(small.question, keeping: [Site(.lm, 1, .z)])
    #expect(throws: CellError.self) { try kept.rows(of: Cell(Site(.lm, 1, .z), index: 4), at: [0]) }
  }
}
