# For every plants/*.plant an executable railgate-simulate-<bug>: the objects of railgate-simulate, and the
# source (or sources) that the bug is in, with the bug in it. That object comes before its room's archive, so the
# linker never takes the archive's member of that name; would it be needed for something that the object
# does not define, every name of it would be defined twice, and the link fails.
#
# An adapter is one object in which nothing has a name but its entry (adapter_inside): there the object
# takes its original's place before they are put together.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(plants_dir ${CMAKE_CURRENT_SOURCE_DIR}/plants)
set(results ${CMAKE_CURRENT_BINARY_DIR}/plants/results)
file(MAKE_DIRECTORY ${results})
file(GLOB plants CONFIGURE_DEPENDS ${plants_dir}/*.plant)
if(NOT plants)
  message(FATAL_ERROR "RAILGATE_PLANTS is on, and there is no plant in ${plants_dir}")
endif()
add_custom_target(plants)

foreach(plant ${plants})
  get_filename_component(bug ${plant} NAME_WE)
  add_executable(railgate-simulate-${bug} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:railgate-simulate>)
  target_link_libraries(railgate-simulate-${bug} PRIVATE ${simulate_libraries})
  add_dependencies(railgate-simulate-${bug} railgate-simulate)
  add_dependencies(plants railgate-simulate-${bug})
  add_test(NAME plant_${bug}
           COMMAND ${Python3_EXECUTABLE} ${plants_dir}/plants.py run ${plant}
                   $<TARGET_FILE:railgate-simulate-${bug}> $<TARGET_FILE:railgate-simulate>
                   ${results}/${bug}.json)
  set_tests_properties(plant_${bug} PROPERTIES LABELS plants TIMEOUT 1200)

  set(inside ${adapters_inside})
  set(mutated_adapters)
  foreach(adapter card qr bank cbdc)
    set(mutated_of_${adapter})
  endforeach()
  file(STRINGS ${plant} sources REGEX "^file: ")
  list(TRANSFORM sources REPLACE "^file: " "")
  foreach(source ${sources})
    if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${source})
      message(FATAL_ERROR "plant ${bug}: there is no file ${source}")
    endif()
    get_filename_component(name ${source} NAME_WE)
    get_filename_component(room_dir ${CMAKE_SOURCE_DIR}/${source} DIRECTORY)
    set(mutated ${CMAKE_CURRENT_BINARY_DIR}/plants/${bug}/${name}.c)
    set(object plant_${bug}_${name})
    add_custom_command(
      OUTPUT ${mutated}
      COMMAND ${Python3_EXECUTABLE} ${plants_dir}/plants.py make ${plant} ${source} ${CMAKE_SOURCE_DIR}
              ${mutated}
      DEPENDS ${plant} ${CMAKE_SOURCE_DIR}/${source} ${plants_dir}/plants.py
      VERBATIM)
    add_library(${object} OBJECT EXCLUDE_FROM_ALL ${mutated})
    # Its neighbours are those of the original; what only a bug leaves unused is no finding.
    target_compile_options(${object} PRIVATE -iquote ${room_dir} -Wno-unused)
    if(source MATCHES "^gateway/([a-z]+)/")
      target_link_libraries(${object} PRIVATE room_${CMAKE_MATCH_1})
      target_sources(railgate-simulate-${bug} PRIVATE $<TARGET_OBJECTS:${object}>)
    elseif(source MATCHES "^adapters/(card|qr|bank|cbdc)/")
      set(adapter ${CMAKE_MATCH_1})
      target_link_libraries(${object} PRIVATE ${adapter}_objects)
      target_compile_options(${object} PRIVATE -fvisibility=hidden)
      list(APPEND mutated_adapters ${adapter})
      list(APPEND mutated_of_${adapter} ${name})
    else()
      message(FATAL_ERROR "plant ${bug}: ${source} is in no room and in no adapter of the simulation")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES mutated_adapters)
  foreach(adapter ${mutated_adapters})
    set(objects "$<TARGET_OBJECTS:${adapter}_objects>")
    foreach(name ${mutated_of_${adapter}})
      set(objects "$<FILTER:${objects},EXCLUDE,/${name}\\.c\\.o$>")
    endforeach()
    foreach(name ${mutated_of_${adapter}})
      string(APPEND objects ";$<TARGET_OBJECTS:plant_${bug}_${name}>")
    endforeach()
    adapter_object(${bug}_${adapter} ${adapter} "${objects}" ${kits_of_${adapter}})
    list(REMOVE_ITEM inside ${CMAKE_CURRENT_BINARY_DIR}/${adapter}_inside.o)
    list(APPEND inside ${CMAKE_CURRENT_BINARY_DIR}/${bug}_${adapter}_inside.o)
  endforeach()
  target_sources(railgate-simulate-${bug} PRIVATE ${inside})
endforeach()
