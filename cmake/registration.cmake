# pyralog_test_not_registered(NAME REASON): names a test that this machine cannot run. The summary of script/test prints
# them; where CI=true that is a failure.
set_property(GLOBAL PROPERTY PYRALOG_TESTS_NOT_REGISTERED "")
function(pyralog_test_not_registered NAME REASON)
  set_property(GLOBAL APPEND PROPERTY PYRALOG_TESTS_NOT_REGISTERED "${NAME}: ${REASON}")
endfunction()
function(pyralog_write_not_registered)
  get_property(rows GLOBAL PROPERTY PYRALOG_TESTS_NOT_REGISTERED)
  list(JOIN rows "\n" text)
  file(WRITE ${CMAKE_BINARY_DIR}/tests-not-registered.txt "${text}")
endfunction()
